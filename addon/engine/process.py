"""One engine process: a command line in, messages by queue out, ended by closing its input.

Nothing here imports bpy; reading is done by two threads that touch only the queue and the log.
"""

import collections
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pcgs_engine
from pcgs_engine.protocol import Message

from .messages import parse_message

__all__ = [
    "EngineProcess",
    "EngineStartError",
    "Exited",
    "engine_command",
    "hidden_window",
    "process_environment",
]

LOG_LINES = 200
RUN_ENGINE = Path(__file__).with_name("run_engine.py")


class EngineStartError(Exception):
    """The operating system could not start the engine's Python; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exited:
    """Last entry of the queue: the process has ended and its output is read."""

    code: int
    """Exit status; below 0 the signal that ended it."""


def engine_command(python: Path, arguments: Sequence[str]) -> list[str]:
    """Return the command line that runs the engine with the add-on's copy as a fallback."""
    fallback = Path(pcgs_engine.__file__).resolve().parent.parent
    # -u: what was said before a crash must not stay in a buffer.
    return [str(python), "-u", str(RUN_ENGINE), str(fallback), *arguments]


def process_environment(*, own_site: bool) -> dict[str, str]:
    """Return this process's environment without what is meant for Blender's own Python.

    Args:
        own_site: whether packages in the user's home may be used: only with a Python that the
            user has chosen, as they may be made for another version.
    """
    dropped = {"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP"}
    environment = {name: value for name, value in os.environ.items() if name not in dropped}
    environment["PYTHONUTF8"] = "1"
    if not own_site:
        environment["PYTHONNOUSERSITE"] = "1"
    return environment


def hidden_window() -> int:
    """Return creation flags for Windows: no console, and Blender's own threads come first."""
    if sys.platform != "win32":
        return 0
    return subprocess.CREATE_NO_WINDOW | subprocess.BELOW_NORMAL_PRIORITY_CLASS


class EngineProcess:
    """A running engine."""

    def __init__(self, python: Path, arguments: Sequence[str], *, own_site: bool) -> None:
        """Start it.

        Raises:
            EngineStartError: there is no such program, or it may not be run.
        """
        self._queue: queue.SimpleQueue[Message | Exited] = queue.SimpleQueue()
        self._log: collections.deque[str] = collections.deque(maxlen=LOG_LINES)
        try:
            self._process = subprocess.Popen(
                engine_command(python, arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=process_environment(own_site=own_site),
                creationflags=hidden_window(),
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise EngineStartError(
                f"{python} cannot be started ({error.strerror}); choose another Engine Python in "
                "the add-on's preferences"
            ) from error
        self._log_reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader = threading.Thread(target=self._read_messages, daemon=True)
        self._log_reader.start()
        self._reader.start()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def log(self) -> tuple[str, ...]:
        """The last lines of standard error."""
        return tuple(self._log)

    def take(self) -> list[Message | Exited]:
        """Return what has arrived since the last call."""
        taken: list[Message | Exited] = []
        while True:
            try:
                taken.append(self._queue.get_nowait())
            except queue.Empty:
                return taken

    def stop(self) -> None:
        """Ask for an end after a checkpoint; returns at once."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            try:
                self._process.stdin.close()
            except OSError:
                return  # it has ended already

    def kill(self) -> None:
        """End it at once; what came after the last checkpoint is lost."""
        self._process.kill()

    def _read_messages(self) -> None:
        if self._process.stdout is not None:
            with self._process.stdout as lines:
                for line in lines:
                    message = parse_message(line)
                    if message is None:
                        self._log.append(line.rstrip())
                    else:
                        self._queue.put(message)
        code = self._process.wait()
        # A killed process may leave a child that holds its log open: do not wait for that.
        self._log_reader.join(timeout=2.0)
        self.stop()  # closes the pipe
        self._queue.put(Exited(code=code))

    def _read_log(self) -> None:
        if self._process.stderr is not None:
            with self._process.stderr as lines:
                for line in lines:
                    self._log.append(line.rstrip())
