"""A real Blender on a virtual screen, seen from a test: Python inside, mouse, keys, screenshots."""

import ast
import itertools
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

__all__ = ["GuiBlender", "GuiError"]

SCRIPTS = Path(__file__).parent / "gui"
SCREEN_WIDTH, SCREEN_HEIGHT = 1600, 900
PROBE_STEP = 9
"""Pixels between two looks for a button; the lowest button is 20 high."""


class GuiError(AssertionError):
    """Blender raised, died or did not answer; the text is its own."""


class GuiBlender:
    """One running Blender; `stop` ends it and everything it started."""

    def __init__(
        self, root: Path, work: Path, shares: Sequence[Path], arguments: Sequence[str] = (),
        *, limit: int = 1500,
    ) -> None:  # fmt: skip
        self.work = work
        self._names = itertools.count()
        self._places: dict[str, tuple[int, int]] = {}
        environment = {**os.environ, "PCGS_TEST_WORK": str(work)}
        self._process = subprocess.Popen(
            [
                SCRIPTS / "run_blender.sh", root, work, str(limit), SCRIPTS, *shares,
                "--", "--factory-startup", *arguments, "--python", SCRIPTS / "listener.py",
            ],
            env=environment, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            self._wait_for_file(work / "ready", 180.0)
        except GuiError:
            self.stop()
            raise
        self.version = (work / "ready").read_text()

    def stop(self) -> None:
        """End Blender, the screen and whatever runs beside them."""
        (self.work / "stop").touch()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.terminate()
            self._process.wait(10)

    @property
    def alive(self) -> bool:
        """Whether Blender itself runs."""
        return self._process.poll() is None and not (self.work / "gone").exists()

    @property
    def log(self) -> str:
        """What Blender wrote so far."""
        return (self.work / "blender.log").read_text(errors="replace")

    def python(self, code: str, limit: float = 120.0) -> str:
        """Run `code` in Blender's main loop; returns what it printed."""
        output = self._ask("python", ".py", code, limit)
        if "Traceback (most recent call last)" in output:
            raise GuiError(output)
        return output.rstrip("\n")

    def value(self, expression: str) -> object:
        """Return the value of an expression of plain Python types."""
        # Operators print their reports first.
        return ast.literal_eval(self.python(f"print(repr({expression}))").splitlines()[-1])

    def shell(self, command: str, limit: float = 60.0) -> str:
        """Run a shell command beside Blender; returns its output."""
        output, _, status = self._ask("shell", ".sh", command, limit).rpartition("\nstatus ")
        if status.strip() != "0":
            raise GuiError(f"{command}: status {status.strip()}: {output}")
        return output.rstrip("\n")

    def settle(self, times: int = 3) -> None:
        """Let Blender handle its events and draw."""
        for _ in range(times):
            self.python("view3d()[1].tag_redraw()")

    def wait(self, expression: str, limit: float = 60.0) -> None:
        """Wait until an expression is true inside Blender."""
        end = time.monotonic() + limit
        while not self.value(f"bool({expression})"):
            if time.monotonic() > end:
                raise GuiError(f"not in {limit:.0f} s: {expression}")
            time.sleep(0.1)

    def screenshot(self, path: Path) -> None:
        """Photograph the whole screen."""
        self.settle()
        inside = self.work / "screenshot.png"
        self.shell(f"import -window root {inside}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(inside.read_bytes())

    def click(self, place: tuple[int, int]) -> None:
        """Click as a hand does: pointer seen over the button, press and release seen apart."""
        self.hover(place)
        self.settle()
        self.shell("xdotool mousedown 1")
        self.settle()
        self.shell("xdotool mouseup 1")
        self.settle()

    def hover(self, place: tuple[int, int]) -> None:
        """Move the pointer there, by two steps so that Blender sees it move."""
        x, y = place
        self.shell(f"xdotool mousemove {x - 1} {y} mousemove_relative 1 0")
        self.settle(1)

    def key(self, *names: str) -> None:
        """Press keys one after the other, by X names such as `ctrl+a` and `Return`."""
        for name in names:
            self.shell(f"xdotool key {name}")
            self.settle(2)

    def type(self, text: str) -> None:
        """Type a text."""
        self.shell(f"xdotool type -- '{text}'")
        self.settle(2)

    def open_sidebar(self, tab: str) -> None:
        """Show the 3D View's sidebar on a tab."""
        self.python("bpy.context.space_data.show_region_ui = True")
        self.settle()
        self.python(f"sidebar().active_panel_category = {tab!r}")
        self.settle()
        self._places.clear()

    def find(self, button: str) -> tuple[int, int]:
        """Return where the sidebar's button is whose operator or property path holds `button`.

        Found by hovering, so only what a user could click is found.
        """
        known = self._places.get(button)
        if known is not None and self._hovered(known, button):
            return known
        x, top, bottom = self._sidebar_column()
        # Over the first panel: below the last one the wheel would zoom the view behind.
        self.hover((x, top + 24))
        self.shell("xdotool click --repeat 30 4")  # scroll up
        for _ in range(6):
            place = self._seen(button, x, top, bottom)
            if place is not None:
                self._places[button] = place
                return place
            self.hover((x, top + 24))
            self.shell("xdotool click --repeat 6 5")
            self.settle()
        raise GuiError(f"no button with {button!r} in the sidebar")

    def _seen(self, button: str, x: int, top: int, bottom: int) -> tuple[int, int] | None:
        for y in range(top, bottom, PROBE_STEP):
            if self._hovered((x, y), button):
                inner = (x, y + PROBE_STEP // 2)  # away from the edge
                return inner if self._hovered(inner, button) else (x, y)
        return None

    def _hovered(self, place: tuple[int, int], button: str) -> bool:
        self.hover(place)
        return button in str(self.value("hovered()"))

    def _sidebar_column(self) -> tuple[int, int, int]:
        place = self.value("[getattr(sidebar(), n) for n in ('x', 'y', 'width', 'height')]")
        x, y, width, height = place  # type: ignore[misc]
        return x + int(width * 0.45), SCREEN_HEIGHT - y - height + 4, SCREEN_HEIGHT - y - 4

    def _ask(self, kind: str, suffix: str, text: str, limit: float) -> str:
        name = f"{next(self._names):06d}"
        folder = self.work / kind
        (folder / f"{name}.new").write_text(text + "\n")
        (folder / f"{name}.new").rename(folder / f"{name}{suffix}")
        answer = folder / f"{name}.out"
        self._wait_for_file(answer, limit)
        text = answer.read_text(errors="replace")
        answer.unlink()
        return text

    def _wait_for_file(self, path: Path, limit: float) -> None:
        end = time.monotonic() + limit
        while not path.exists():
            gone = self._process.poll() is not None
            gone = gone or (
                (path.suffix != ".out" or path.parent.name == "python") and not self.alive
            )
            if gone and not path.exists():
                raise GuiError(f"Blender ended: {self.log[-6000:]}")
            if time.monotonic() > end:
                raise GuiError(f"no answer in {limit:.0f} s: {self.log[-2000:]}")
            time.sleep(0.01)
