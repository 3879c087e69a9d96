"""A short script in the engine's Python, run by a thread: its JSON answer out.

Used to check the environment and to scan an image folder. No bpy.
"""

import json
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from .process import EngineStartError, engine_command, hidden_window, process_environment

__all__ = ["ScriptError", "Task", "run_command", "run_script"]

R = TypeVar("R")


class ScriptError(Exception):
    """The script gave no answer; the message is for the user."""


class Task(Generic[R]):
    """A function run by a thread; its end is polled."""

    def __init__(self, function: Callable[[], R]) -> None:
        self.result: R | None = None
        self.error = ""
        """What went wrong, for the user; empty where nothing did."""
        self._thread = threading.Thread(target=self._run, args=(function,), daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether `result` or `error` is there."""
        return not self._thread.is_alive()

    def wait(self) -> None:
        """Block until it is done (background mode, scripts)."""
        self._thread.join()

    def _run(self, function: Callable[[], R]) -> None:
        try:
            self.result = function()
        except (EngineStartError, ScriptError, OSError, KeyError, TypeError, ValueError) as error:
            self.error = str(error) or type(error).__name__


def run_script(
    python: Path, script: Path, arguments: Sequence[str] = (), *, own_site: bool, timeout: float
) -> Mapping[str, object]:
    """Run a script and return the JSON object it printed last; raises as `run_command`."""
    command = ["--script", str(script), *arguments]
    return run_command(python, command, own_site=own_site, timeout=timeout)


def run_command(
    python: Path, arguments: Sequence[str], *, own_site: bool, timeout: float
) -> Mapping[str, object]:
    """Run a command of the engine and return the JSON object it printed last.

    Raises:
        EngineStartError: the Python cannot be started.
        ScriptError: it failed, took too long, or printed something else.
    """
    with tempfile.TemporaryFile() as log:
        try:
            # Input stays open while it runs: run_engine.py ends the process when it closes.
            process = subprocess.Popen(
                engine_command(python, arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=process_environment(own_site=own_site),
                creationflags=hidden_window(),
            )
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise EngineStartError(f"{python} cannot be started: {reason}") from error
        with process:
            timer = threading.Timer(timeout, process.kill)
            timer.start()
            output = b"" if process.stdout is None else process.stdout.read()
            code = process.wait()
            late = not timer.is_alive()
            timer.cancel()
        if late:
            raise ScriptError(f"{python} did not answer within {timeout:.0f} seconds")
        log.seek(0)
        return _answer(python, code, output, log.read())


def _answer(python: Path, code: int, output: bytes, log: bytes) -> Mapping[str, object]:
    lines = output.decode(errors="replace").strip().splitlines()
    try:
        answer = json.loads(lines[-1]) if lines else None
    except ValueError:
        answer = None
    if code != 0 or not isinstance(answer, dict):
        said = log.decode(errors="replace").strip().splitlines()
        raise ScriptError(f"{python} failed: {said[-1] if said else f'exit status {code}'}")
    return answer
