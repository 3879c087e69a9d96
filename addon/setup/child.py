"""One step of a set-up as a child process: a Python module in, its end or its output out.

The child ends when Blender does (its standard input closes), and with its own children when the
user cancels.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..engine.process import RUN_ENGINE, EngineStartError, hidden_window, process_environment

__all__ = ["ChildFailedError", "SetupCancelledError", "run_module"]

RUN_MODULE = Path(__file__).with_name("run_module.py")
WATCH_SECONDS = 0.25


class SetupCancelledError(Exception):
    """The user does not want it any more."""


class ChildFailedError(Exception):
    """A module ended with an error; `output` is what it printed."""

    def __init__(self, module: str, code: int, output: str) -> None:
        super().__init__(f"{module} failed with exit status {code}")
        self.output = output


def run_module(
    python: Path,
    module: str,
    arguments: Sequence[str],
    *,
    empty: Path,
    scratch: Path,
    log: Callable[[str], None],
    watch: Callable[[], bool],
) -> None:
    """Run `python -m module` to its end.

    Args:
        python: the Python.
        module: for example `pip`.
        arguments: its arguments.
        empty: an empty folder: unlike the engine, pip must not see the add-on's own packages.
        scratch: for temporary files.
        log: takes every line of output; called by another thread.
        watch: called every quarter of a second; True ends the child.

    Raises:
        SetupCancelledError: `watch` said so.
        ChildFailedError: the exit status is not 0.
        EngineStartError: the Python cannot be started.
    """
    lines: list[str] = []
    process = _start(
        [str(python), "-u", str(RUN_ENGINE), str(empty), "--script", str(RUN_MODULE)],
        [module, *arguments],
        _environment(scratch),
    )
    reader = threading.Thread(target=_read, args=(process, lines, log), daemon=True)
    reader.start()
    try:
        while True:
            if watch():
                raise SetupCancelledError
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(WATCH_SECONDS)
                break
    finally:
        _end_tree(process)
        reader.join(timeout=5.0)
        if process.stdin is not None:
            process.stdin.close()
    if process.returncode != 0:
        raise ChildFailedError(module, process.returncode, "\n".join(lines))


def _start(
    program: Sequence[str], arguments: Sequence[str], environment: Mapping[str, str]
) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            [*program, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            creationflags=hidden_window(),
            start_new_session=True,  # so that children of the child can be ended with it
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        reason = error.strerror or str(error)
        raise EngineStartError(f"{program[0]} cannot be started ({reason})") from error


def _environment(scratch: Path) -> dict[str, str]:
    environment = process_environment(own_site=False)
    # Places that pip would install to instead, if the user has set them for other purposes.
    for name in ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_VIRTUALENV"):
        environment.pop(name, None)
    # What pip's configuration files may set as well; only a value here overrules them. Versions
    # are locked, so constraints meant for the user's other work could only forbid them. The empty
    # file is the null device: pip would part the path of another one at its spaces.
    environment |= {"PIP_USER": "0", "PIP_CONSTRAINT": os.devnull}
    return {**environment, "TMPDIR": str(scratch), "TEMP": str(scratch), "TMP": str(scratch)}


def _read(process: subprocess.Popen[str], lines: list[str], log: Callable[[str], None]) -> None:
    if process.stdout is not None:
        with process.stdout as output:
            for line in output:
                lines.append(line.rstrip())
                log(lines[-1])


def _end_tree(process: subprocess.Popen[str]) -> None:
    """End a child and its own children; those of one that has ended by itself have, too."""
    if process.poll() is not None:
        return
    if sys.platform == "win32":
        subprocess.run(
            ["taskkill", "/T", "/F", "/PID", str(process.pid)],
            capture_output=True, check=False, creationflags=hidden_window(),
        )  # fmt: skip
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
