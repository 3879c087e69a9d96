"""Run by viewport.py inside a GUI Blender: times redraws of our drawing and of the demo extension.

The demo draws the simple way (no harmonics, no target of its own), straight into the viewport.
All settings come by environment; the result is a JSON file, and Blender ends.
"""

import importlib
import json
import os
import statistics
import sys
import time
import traceback
from pathlib import Path

import bpy
import gpu
import numpy as np
from mathutils import Quaternion

FOLDER = Path(os.environ["PCGS_BENCH_FOLDER"])
SIZES = [int(size) for size in os.environ["PCGS_BENCH_SIZES"].split(",")]
ROUNDS = int(os.environ["PCGS_BENCH_ROUNDS"])
STILL, TURNS = 6, 10
"""Redraws of a still view, and steps of a turning one, in a round."""
DEGREES = (0, 3)
DISTANCE = 6.0
"""Of the view from the unit sphere's centre."""


def add_paths() -> None:
    """Make the add-on, its wheels and the demo importable."""
    sys.path[:0] = os.environ["PCGS_BENCH_PATHS"].split(os.pathsep)


def view3d() -> tuple[bpy.types.Window, bpy.types.Area, bpy.types.Region]:
    """The first window's 3D view."""
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    return window, area, next(region for region in area.regions if region.type == "WINDOW")


class Bench:
    """One process: all sizes, things in turn, several rounds."""

    def __init__(self) -> None:
        bpy.ops.preferences.addon_enable(module="addon")
        self.session = importlib.import_module("addon.viewport").viewport_session
        self.create = importlib.import_module("addon.objects.create").create_splat_object
        self.demo = importlib.import_module("demo_extension")
        self.demo.register()
        self.region_3d = bpy.context.space_data.region_3d
        # Redrawing takes the context's region away.
        self.view_size = [bpy.context.region.width, bpy.context.region.height]
        self.window_size = [bpy.context.window.width, bpy.context.window.height]
        for obj in tuple(bpy.data.objects):
            bpy.data.objects.remove(obj)
        self.region_3d.view_location = (0.0, 0.0, 0.0)
        self.region_3d.view_distance = DISTANCE
        self.objects: dict[str, bpy.types.Object] = {}

    def run(self) -> dict[str, object]:
        """Measure everything."""
        sizes = {}
        for size in SIZES:
            sizes[str(size)] = self.measure_size(size)
            self.objects.clear()
            for obj in tuple(bpy.data.objects):
                bpy.data.objects.remove(obj)
        return {
            "blender": bpy.app.version_string,
            "backend": gpu.platform.backend_type_get(),
            "renderer": gpu.platform.renderer_get(),
            "window": self.window_size,
            "view": self.view_size,
            "redraws_still": STILL,
            "redraws_turning": TURNS,
            "rounds": ROUNDS,
            "splats": sizes,
        }

    def measure_size(self, size: int) -> dict[str, object]:
        """All things at one number of splats."""
        first = {}
        for degree in DEGREES:
            name = f"sh{degree}"
            path = FOLDER / f"{size}_{degree}.ply"
            self.objects[name] = self.create(bpy.context, path, name=name, levels=1)
            first[name] = self.first_picture(name)
        bpy.ops.import_scene.pcgs_lab(filepath=str(FOLDER / f"{size}.pcgslab"))
        self.objects["demo"] = bpy.context.object
        things = ("empty", "demo", *(f"sh{degree}" for degree in DEGREES))
        times: dict[str, dict[str, list[float]]] = {
            thing: {"still": [], "forced": [], "turning": [], "turning_cpu": []} for thing in things
        }
        for _ in range(ROUNDS):
            for thing in things:
                self.show(thing)
                times[thing]["still"].append(self.still())
                if thing.startswith("sh"):
                    times[thing]["forced"].append(self.forced())
                wall, cpu = self.turning()
                times[thing]["turning"].append(wall)
                times[thing]["turning_cpu"].append(cpu)
        return summary(times, first)

    def first_picture(self, name: str) -> float:
        """Milliseconds from a decoded file to the first redraw that shows it."""
        from addon.objects import file_of_object

        file_of_object(self.objects[name]).wait(seconds=120)
        for other, obj in self.objects.items():
            obj.hide_set(other != name)
        before = self.redraws()
        start = time.perf_counter()
        while self.redraws() == before and time.perf_counter() - start < 30:
            bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=1)
        return 1000 * (time.perf_counter() - start)

    def redraws(self) -> int:
        """How often our splats were drawn so far."""
        return sum(picture.redraws for picture in self.session.pictures().values())

    def show(self, thing: str) -> None:
        """Hide all but one object, and let it settle."""
        for name, obj in self.objects.items():
            obj.hide_set(name != thing)
        bpy.context.view_layer.update()
        bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=3)

    def still(self) -> float:
        """Milliseconds a redraw of a view that does not change."""
        start = time.perf_counter()
        bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=STILL)
        return 1000 * (time.perf_counter() - start) / STILL

    def forced(self) -> float:
        """The same with the kept picture thrown away each time: sort, projection and blending."""
        start = time.perf_counter()
        for _ in range(STILL):
            for picture in self.session.pictures().values():
                picture.forget()
            bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=1)
        return 1000 * (time.perf_counter() - start) / STILL

    def turning(self) -> tuple[float, float]:
        """Milliseconds a redraw, wall and CPU, of a view that turns about the origin."""
        start, cpu = time.perf_counter(), time.process_time()
        for step in range(TURNS):
            turn = Quaternion((0.0, 0.0, 1.0), 2.0 * np.pi * step / TURNS)
            self.region_3d.view_rotation = turn @ Quaternion((1.0, 0.0, 0.0), 1.1)
            self.region_3d.update()
            bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=1)
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu
        return 1000 * wall / TURNS, 1000 * cpu / TURNS


def summary(times: dict[str, dict[str, list[float]]], first: dict[str, float]) -> dict[str, object]:
    """Medians, costs over the empty scene, and ratios to the demo's cost."""
    medians = {
        thing: {kind: statistics.median(values) for kind, values in kinds.items() if values}
        for thing, kinds in times.items()
    }
    cost = {
        thing: {kind: value - medians["empty"][BASE[kind]] for kind, value in kinds.items()}
        for thing, kinds in medians.items()
        if thing != "empty"
    }
    ratio = {
        thing: {kind: value / cost["demo"][BASE[kind]] for kind, value in kinds.items()}
        for thing, kinds in cost.items()
        if thing != "demo"
    }
    return {
        "redraw_ms": rounded(medians),
        "cost_ms": rounded(cost),
        "cost_over_demo": rounded(ratio),
        "first_picture_ms": {name: round(value) for name, value in first.items()},
    }


BASE = {"still": "still", "forced": "still", "turning": "turning", "turning_cpu": "turning_cpu"}
"""With which of the empty scene's and the demo's times a time is compared."""


def rounded(table: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """The table with two digits after the point."""
    return {
        thing: {kind: round(value, 2) for kind, value in kinds.items()}
        for thing, kinds in table.items()
    }


def main() -> None:
    """Timer: measure, write, end Blender."""
    window, area, region = view3d()
    try:
        with bpy.context.temp_override(window=window, area=area, region=region):
            result = Bench().run()
        (FOLDER / "result.json").write_text(json.dumps(result))
    except Exception:  # noqa: BLE001 - edge of the process: the other half shows it
        (FOLDER / "error.txt").write_text(traceback.format_exc())
    os._exit(0)


add_paths()
bpy.context.preferences.view.show_splash = False
bpy.app.timers.register(main, first_interval=2.0)
