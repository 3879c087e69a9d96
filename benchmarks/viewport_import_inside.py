"""Run by viewport.py inside a GUI Blender: what an import and a change of level cost a user.

A heartbeat (a timer asked for as often as Blender allows) notes how long the main loop was silent.
Software OpenGL makes every redraw of a window long, so silences are taken with the 3D view in
place (drawing and upload apart) and without one, and against a loop that only redraws.
"""

import functools
import importlib
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy

FOLDER = Path(os.environ["PCGS_BENCH_FOLDER"])
FILES = [Path(path) for path in os.environ["PCGS_BENCH_FILES"].split(os.pathsep)]
ROUNDS = int(os.environ["PCGS_BENCH_ROUNDS"])
BEAT_SECONDS = 0.001
QUIET_SECONDS = 2.0
"""Length of the comparison without an import, and of the rest after one."""
LIMIT_SECONDS = 120.0
sys.path[:0] = os.environ["PCGS_BENCH_PATHS"].split(os.pathsep)


class Heartbeat:
    """Silences of the main loop, in milliseconds."""

    def __init__(self) -> None:
        self.silences: list[float] = []
        self._last: float | None = None

    def start(self) -> None:
        """Begin anew."""
        self.silences, self._last = [], None
        if not bpy.app.timers.is_registered(self._beat):
            bpy.app.timers.register(self._beat)

    def longest(self) -> float:
        """The longest silence since `start`."""
        return round(max(self.silences, default=0.0), 1)

    def _beat(self) -> float:
        now = time.perf_counter()
        if self._last is not None:
            self.silences.append(1000 * (now - self._last))
        self._last = now
        return BEAT_SECONDS


class Calls:
    """Times the calls of functions, in milliseconds."""

    def __init__(self) -> None:
        self.taken: dict[str, list[float]] = {}

    def watch(self, module: str, name: str, as_name: str) -> None:
        """Replace a function of a module by one that is timed."""
        owner = importlib.import_module(module)
        function: Callable[..., object] = getattr(owner, name)

        @functools.wraps(function)
        def timed(*args: object, **kwargs: object) -> object:
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.taken.setdefault(as_name, []).append(1000 * (time.perf_counter() - start))

        setattr(owner, name, timed)

    def longest(self) -> dict[str, float]:
        """The longest call of each since `clear`."""
        return {name: round(max(values), 1) for name, values in self.taken.items()}


class Bench:
    """All measurements, as steps between which the main loop runs."""

    def __init__(self) -> None:
        self.calls = Calls()
        # Before the add-on keeps references of its own.
        self.calls.watch("addon.viewport.textures", "upload_cloud", "upload")
        self.calls.watch("addon.viewport.backend", "draw_view", "draw handler with upload")
        self.calls.watch("addon.objects.session", "_tick", "object timer")
        bpy.ops.preferences.addon_enable(module="addon")
        self.session = importlib.import_module("addon.viewport").viewport_session
        self.files = importlib.import_module("addon.files").splat_files
        self.heart = Heartbeat()
        self.result: dict[str, object] = {}
        window = bpy.context.window_manager.windows[0]
        self.area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
        for obj in tuple(bpy.data.objects):
            bpy.data.objects.remove(obj)

    def steps(self) -> Iterator[float]:
        """Yields seconds to wait; the end is the end of the benchmark."""
        yield from self._warm_up()
        for path in FILES:
            rounds = []
            for _ in range(ROUNDS):
                body: dict[str, object] = {}
                self.area.type = "TEXT_EDITOR"
                yield 0.5
                yield from self._stalls_without_view(path, body)
                self.area.type = "VIEW_3D"
                yield 0.5
                yield from self._import_into_view(path, body)
                self._switch_levels(body)
                yield from self._remove()
                rounds.append(body)
            self.result[path.name] = rounds

    def _warm_up(self) -> Iterator[float]:
        """Compile the shaders and import all modules with the smallest file."""
        yield from self._import_into_view(min(FILES, key=lambda path: path.stat().st_size), {})
        yield from self._remove()

    def _stalls_without_view(self, path: Path, body: dict[str, object]) -> Iterator[float]:
        self.heart.start()
        end = time.perf_counter() + QUIET_SECONDS
        while time.perf_counter() < end:
            for area in bpy.context.window_manager.windows[0].screen.areas:
                if area.type == "PROPERTIES":
                    area.tag_redraw()
            yield 0.1
        body["silence_ms_redraws_only"] = self.heart.longest()
        self.heart.start()
        self.calls.taken.clear()
        body["import_call_ms"] = self._import(path)
        while self._file(path).state.working:
            yield 0.05
        yield QUIET_SECONDS
        body["silence_ms_no_view"] = self.heart.longest()
        body["calls_ms_no_view"] = self.calls.longest()
        yield from self._remove()

    def _import_into_view(self, path: Path, body: dict[str, object]) -> Iterator[float]:
        self.heart.start()
        self.calls.taken.clear()
        start = time.perf_counter()
        call = self._import(path)
        watch = _Watch(self._file(path))
        drawn = None
        while drawn is None and time.perf_counter() - start < LIMIT_SECONDS:
            yield 0.0
            drawn = self._drawn(path)
        shown = time.perf_counter()
        watch.join()
        yield QUIET_SECONDS
        longest = self.calls.longest()
        body |= {
            "splats": drawn,
            "levels": self._file(path).levels,
            "decoded_ms": round(1000 * (watch.ready - start), 1),
            "decoded_to_picture_ms": round(1000 * (shown - watch.ready), 1),
            "beyond_decoding_ms": round(1000 * (shown - watch.ready) + call, 1),
            "silence_ms_with_view": self.heart.longest(),
            "calls_ms_with_view": longest,
        }

    def _import(self, path: Path) -> float:
        start = time.perf_counter()
        window = bpy.context.window_manager.windows[0]
        with bpy.context.temp_override(window=window, area=self.area):
            bpy.ops.import_scene.pcgs(filepath=str(path))
        return round(1000 * (time.perf_counter() - start), 1)

    def _file(self, path: Path) -> object:
        from addon.objects import file_of_object  # after the add-on is enabled

        return file_of_object(next(obj for obj in bpy.data.objects if obj.pcgs.is_splats))

    def _drawn(self, path: Path) -> int | None:
        """Splats of the last level, once a view shows it."""
        file = self._file(path)
        if file.state.working or not file.levels_ready:
            return None
        return self._splats_of(file.shown(file.levels).key)

    def _splats_of(self, wanted: object) -> int | None:
        """Splats of a cloud in a view that shows it, in the right order."""
        for picture in self.session.pictures().values():
            for (key, _), count in picture.drawn_layout:
                if key == wanted and not picture.is_behind:
                    return count
        return None

    def _switch_levels(self, body: dict[str, object]) -> None:
        """Time from a new level to the redraw that shows it, first and later visits."""
        obj = next(obj for obj in bpy.data.objects if obj.pcgs.is_splats)
        file = self._file(Path())
        levels = list(range(1, file.levels + 1))
        if len(levels) < 2:
            return
        taken: dict[str, list[float]] = {"first": [], "later": [], "same_level": []}
        window = bpy.context.window_manager.windows[0]
        region = next(region for region in self.area.regions if region.type == "WINDOW")
        with bpy.context.temp_override(window=window, area=self.area, region=region):
            for kind in ("first", "later", "later"):
                for level in levels:
                    obj.pcgs.level = level
                    taken[kind].append(self._redraw_until(file.shown(level).key))
            for _ in levels:
                for picture in self.session.pictures().values():
                    picture.forget()
                taken["same_level"].append(self._redraw_until(file.shown(levels[-1]).key))
        body["level_switch_ms"] = {k: [round(v, 1) for v in values] for k, values in taken.items()}

    def _redraw_until(self, key: object) -> float:
        start = time.perf_counter()
        redraw = functools.partial(bpy.ops.wm.redraw_timer, type="DRAW_WIN_SWAP", iterations=1)
        redraw()
        while self._splats_of(key) is None and time.perf_counter() - start < LIMIT_SECONDS:
            redraw()
        return 1000 * (time.perf_counter() - start)

    def _remove(self) -> Iterator[float]:
        for obj in tuple(bpy.data.objects):
            bpy.data.objects.remove(obj)
        end = time.perf_counter() + LIMIT_SECONDS
        while len(self.files) and time.perf_counter() < end:
            yield 0.2
        self.session.clear()


class _Watch(threading.Thread):
    """Notes when a file is decoded, whatever the main loop does."""

    def __init__(self, file: object) -> None:
        super().__init__(daemon=True)
        self._file = file
        self.ready = time.perf_counter()
        self.start()

    def run(self) -> None:
        self._file.wait(seconds=LIMIT_SECONDS)
        self.ready = time.perf_counter()


def main() -> Callable[[], float | None]:
    """Return a timer that goes through the steps, writes the result and ends Blender."""
    state: dict[str, object] = {}

    def step() -> float:
        try:
            if not state:
                bench = Bench()
                state.update(bench=bench, steps=bench.steps())
            return next(state["steps"])
        except StopIteration:
            text = json.dumps(state["bench"].result)
            (FOLDER / "result.json").write_text(text)
        except Exception:  # noqa: BLE001 - edge of the process: the other half shows it
            (FOLDER / "error.txt").write_text(traceback.format_exc())
        os._exit(0)

    return step


bpy.context.preferences.view.show_splash = False
bpy.app.timers.register(main(), first_interval=2.0)
