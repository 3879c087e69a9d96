"""A set-up from the plan to the environment in its place, in a thread. Polled; no bpy.

make (venv) -> fetch (pip download, one package a call) -> install (pip, from files) -> check (the
probe that also finds engines) -> publish (rename). Whatever fails or is cancelled before the last
step leaves the environment of before as it was.
"""

import functools
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pcgs_engine

from ..engine.environment import PROBE, PROBE_SECONDS
from ..engine.process import EngineStartError
from ..engine.script_task import ScriptError, run_script
from .child import ChildFailedError, SetupCancelledError, run_module
from .engine_copy import copy_engine, engine_wheel
from .engine_lock import LockedPackage
from .environment_folder import EnvironmentBusyError, InstalledNote, PartFolder, bytes_below
from .pip_failure import pip_failure
from .plan import SetupPlan, amount_text
from .setup_state import SetupState, Step
from .torch_build import UncheckedWheel
from .wheel_files import pinned, unpacked_bytes, wheels_of

__all__ = ["SetupError", "SetupJob"]

SHARES = {
    Step.MAKING: 0.0,
    Step.FETCHING: 0.04,
    Step.INSTALLING: 0.5,
    Step.CHECKING: 0.96,
    Step.DONE: 1.0,
}
"""Where each step begins on the whole bar; with a wheel folder, installing begins at fetching's."""
PIP = ("--no-input", "--disable-pip-version-check", "--no-cache-dir", "--progress-bar", "off")
FILES = ("--only-binary", ":all:", "--no-deps")

Item = LockedPackage | UncheckedWheel


class SetupError(Exception):
    """The set-up cannot go on; the message is for the user."""


class SetupJob:
    """One set-up."""

    def __init__(self, plan: SetupPlan) -> None:
        """Start it."""
        self.plan = plan
        self.state = SetupState()
        self.seconds = 0.0
        self._part = PartFolder(plan.environment)
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="set up engine", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether something is at work."""
        return self._thread.is_alive()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop and has not yet."""
        return self.running and self._cancelled.is_set()

    @property
    def progress_text(self) -> str:
        """One line on where it is."""
        if self.stopping:
            return "Stopping..."
        state = self.state
        text = f"{state.step.value} {state.subject}".rstrip()
        if state.total_bytes and state.step.running:
            done, total = state.done_bytes / 1e6, state.total_bytes / 1e6
            return f"{text}: {done:,.0f} of {total:,.0f} MB"
        return f"{text}..." if state.step.running else text

    def cancel(self) -> None:
        """Ask for an end; within a second, all children included."""
        self._cancelled.set()

    def wait(self, seconds: float | None = None) -> None:
        """Block until it has ended (background mode, scripts), at most so long."""
        self._thread.join(seconds)

    def _run(self) -> None:
        started = time.monotonic()
        try:
            self._part.claim()
        except (EnvironmentBusyError, OSError) as error:
            self._end(Step.FAILED, _told(error))
            return
        end, text = Step.DONE, ""
        try:
            self._steps()
        except SetupCancelledError:
            end = Step.CANCELLED
        except (SetupError, EnvironmentBusyError, EngineStartError, ScriptError, OSError) as error:
            end, text = Step.FAILED, _told(error)
        self._part.release(keep_wheels=end is not Step.DONE)
        self.seconds = time.monotonic() - started
        self._end(end, text)

    def _end(self, step: Step, error: str) -> None:
        self.state.error, self.state.subject = error, ""
        self.state.share = SHARES.get(step, self.state.share)
        self.state.step = step

    def _steps(self) -> None:
        self._make()
        folder = self.plan.source.folder
        if folder is None:
            self._fetch()
        self._install(folder or self._part.wheels)
        self._check()
        unchecked = tuple(f"{item.name} {item.version}" for item in self.plan.unchecked)
        version, cuda = pcgs_engine.__version__, self.plan.build.cuda
        self._part.publish(InstalledNote(engine=version, cuda=cuda, unchecked=unchecked))

    def _make(self) -> None:
        self._begin(Step.MAKING)
        try:
            self._child(self.plan.blender_python, "venv", [str(self._part.environment)])
        except ChildFailedError as error:
            last = (error.output.strip().splitlines() or [str(error)])[-1]
            raise SetupError(
                f"Blender's Python cannot make an environment ({last}); name a Python that can "
                "train as Engine Python in the add-on's preferences"
            ) from error

    def _fetch(self) -> None:
        """Download what is not there yet; pip compares files that are with their hashes."""
        self._begin(Step.FETCHING, total=self.plan.wheel_bytes)
        before = 0
        for item in (*self.plan.packages, *self.plan.unchecked):
            self.state.subject = f"{item.name} {item.version}"
            checked = isinstance(item, LockedPackage)
            options = ["download", *PIP, *FILES, *self.plan.source.pip_options(checked=checked)]
            options += ["--dest", str(self._part.wheels), *self._required([item])]
            self._pip(options, item, functools.partial(_bytes_more, self._part.scratch, before))
            before += item.size

    def _install(self, wheels: Path) -> None:
        items = [*self.plan.packages, *(pinned(item, wheels) for item in self.plan.unchecked)]
        self._begin(Step.INSTALLING, total=unpacked_bytes(wheels_of(items, wheels)))
        environment = self._part.environment
        free = shutil.disk_usage(environment).free
        if free < self.state.total_bytes:
            raise SetupError(
                f"{amount_text(self.state.total_bytes)} are needed in "
                f"{self.plan.environment.parent} and {amount_text(free)} are free; free space and "
                "set up again"
            )
        options = ["install", *PIP, *FILES, "--no-compile", "--no-index"]
        options += ["--find-links", str(wheels), *self._required(items)]
        before = -bytes_below(environment)
        self._pip(options, None, functools.partial(_bytes_more, environment, before))
        wheel = engine_wheel()
        if wheel is None:
            copy_engine(environment)
        else:
            self._pip(["install", *PIP, *FILES, "--no-index", str(wheel)], None)

    def _check(self) -> None:
        self._begin(Step.CHECKING)
        answer = run_script(self._part.python, PROBE, own_site=False, timeout=PROBE_SECONDS)
        missing = answer.get("missing")
        if isinstance(missing, dict) and missing:
            raise SetupError(
                f"the new environment cannot train: {next(iter(missing.values()))}; on Windows "
                "install Microsoft's Visual C++ Redistributable, elsewhere see the log below"
            )
        if self._watch(0):
            raise SetupCancelledError

    def _required(self, items: Sequence[Item]) -> list[str]:
        """Write what is wanted where pip reads it; returns pip's options."""
        path = self._part.scratch.with_name("requirements.txt")
        path.write_text("".join(f"{item.requirement}\n" for item in items), encoding="utf-8")
        # Of an unchecked wheel from an index there is no hash before it has come: see `pinned`.
        known = all("--hash=" in item.requirement for item in items)
        return [*(["--require-hashes"] if known else []), "--requirement", str(path)]

    def _pip(
        self, options: Sequence[str], item: Item | None, measure: Callable[[], int] | None = None
    ) -> None:
        try:
            self._child(self._part.python, "pip", options, measure)
        except ChildFailedError as error:
            raise SetupError(pip_failure(error.output, item, self.plan)) from error

    def _child(
        self,
        python: Path,
        module: str,
        arguments: Sequence[str],
        measure: Callable[[], int] | None = None,
    ) -> None:
        run_module(
            python,
            module,
            arguments,
            empty=self._part.empty,
            scratch=self._part.scratch,
            log=self.state.log.append,
            watch=lambda: self._watch(measure() if measure else 0),
        )

    def _watch(self, done: int) -> bool:
        """Tell how far it is and that somebody is at work; returns whether to stop."""
        self._part.touch()
        state = self.state
        if state.total_bytes:
            state.done_bytes = min(max(done, state.done_bytes), state.total_bytes)
            begin, end = self._bounds(state.step)
            state.share = begin + state.done_bytes / state.total_bytes * (end - begin)
        return self._cancelled.is_set()

    def _begin(self, step: Step, *, total: int = 0) -> None:
        state = self.state
        state.step, state.subject = step, ""
        state.done_bytes, state.total_bytes = 0, total
        state.share = self._bounds(step)[0]
        if self._cancelled.is_set():
            raise SetupCancelledError

    def _bounds(self, step: Step) -> tuple[float, float]:
        begin = SHARES[step]
        if step is Step.INSTALLING and self.plan.source.folder is not None:
            begin = SHARES[Step.FETCHING]
        steps = list(SHARES)
        return begin, SHARES[steps[steps.index(step) + 1]]


def _bytes_more(folder: Path, before: int) -> int:
    return before + bytes_below(folder)


def _told(error: Exception) -> str:
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        return (
            f"the environment cannot be written: {error.strerror or error}{where}; free space or "
            "choose another Cache Folder in the preferences, and set up again"
        )
    return str(error)
