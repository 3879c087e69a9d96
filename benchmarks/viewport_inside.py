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
from collections.abc import Callable
from pathlib import Path

import bpy
import gpu
import numpy as np
from mathutils import Quaternion

FOLDER = Path(os.environ["PCGS_BENCH_FOLDER"])
SIZES = [int(size) for size in os.environ["PCGS_BENCH_SIZES"].split(",")]
ROUNDS = int(os.environ["PCGS_BENCH_ROUNDS"])
STILL, TURNS = 4, 8
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
        first: dict[str, int] = {}
        for degree in DEGREES:
            name = f"sh{degree}"
            path = FOLDER / f"{size}_{degree}.ply"
            self.objects[name] = self.create(bpy.context, path, name=name, levels=1)
            first[name] = self.first_picture(name)
        bpy.ops.import_scene.pcgs_lab(filepath=str(FOLDER / f"{size}.pcgslab"))
        self.objects["demo"] = bpy.context.object
        things = ("empty", "demo", *(f"sh{degree}" for degree in DEGREES))
        times = Times()
        for _ in range(ROUNDS):
            for thing in things:
                self.show(thing)
                times.take(thing, "still", STILL, lambda _: None)
                if thing.startswith("sh"):
                    times.take(thing, "forced", STILL, self.forget)
                times.take(thing, "turning", TURNS, self.turn)
        return {**times.summary(), "first_picture_ms": first}

    def first_picture(self, name: str) -> int:
        """Milliseconds from a decoded file to the first redraw that shows it."""
        from addon.objects import file_of_object

        file_of_object(self.objects[name]).wait(seconds=120)
        for other, obj in self.objects.items():
            obj.hide_set(other != name)
        before = self.redraws()
        start = time.perf_counter()
        while self.redraws() == before and time.perf_counter() - start < 30:
            bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=1)
        return round(1000 * (time.perf_counter() - start))

    def redraws(self) -> int:
        """How often our splats were drawn so far."""
        return sum(picture.redraws for picture in self.session.pictures().values())

    def show(self, thing: str) -> None:
        """Hide all but one object, and let it settle."""
        for name, obj in self.objects.items():
            obj.hide_set(name != thing)
        bpy.context.view_layer.update()
        bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=3)

    def forget(self, _: int) -> None:
        """Throw the kept picture away: sort, projection and blending are due again."""
        for picture in self.session.pictures().values():
            picture.forget()

    def turn(self, step: int) -> None:
        """Turn the view about the origin."""
        turn = Quaternion((0.0, 0.0, 1.0), 2.0 * np.pi * step / TURNS)
        self.region_3d.view_rotation = turn @ Quaternion((1.0, 0.0, 0.0), 1.1)
        self.region_3d.update()


class Times:
    """Milliseconds a redraw: wall and CPU (of all threads; other programs disturb it less)."""

    def __init__(self) -> None:
        self.taken: dict[str, dict[str, list[float]]] = {}

    def take(self, thing: str, kind: str, redraws: int, prepare: Callable[[int], None]) -> None:
        """Redraw several times, with something done before each."""
        wall, cpu = time.perf_counter(), time.process_time()
        for step in range(redraws):
            prepare(step)
            bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=1)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        kinds = self.taken.setdefault(thing, {})
        kinds.setdefault(kind, []).append(1000 * wall / redraws)
        kinds.setdefault(f"{kind}_cpu", []).append(1000 * cpu / redraws)

    def summary(self) -> dict[str, object]:
        """Medians, costs over the empty scene in the same round, ratios to the demo's cost."""
        cost = {
            thing: {kind: self._cost(thing, kind) for kind in kinds}
            for thing, kinds in self.taken.items()
            if thing != "empty"
        }
        ratio = {
            thing: {kind: value / cost["demo"][_base(kind)] for kind, value in kinds.items()}
            for thing, kinds in cost.items()
            if thing != "demo"
        }
        medians = {
            thing: {kind: statistics.median(values) for kind, values in kinds.items()}
            for thing, kinds in self.taken.items()
        }
        tables = {"redraw_ms": medians, "cost_ms": cost, "cost_over_demo": ratio}
        return {name: _rounded(table) for name, table in tables.items()}

    def _cost(self, thing: str, kind: str) -> float:
        empty = self.taken["empty"][_base(kind)]
        pairs = zip(self.taken[thing][kind], empty, strict=True)
        return statistics.median(value - ground for value, ground in pairs)


def _base(kind: str) -> str:
    """With which time of the empty scene and the demo one is compared: forced is a still view."""
    return kind.replace("forced", "still")


def _rounded(table: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
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
