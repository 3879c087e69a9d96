"""Run by the engine's Python, never imported: finds `pcgs_engine` and runs a command of it.

    python run_engine.py FALLBACK ARGUMENT...          runs `python -m pcgs_engine ARGUMENT...`
    python run_engine.py FALLBACK --script FILE ...    runs another script the same way

FALLBACK is the folder that holds the add-on's own `pcgs_engine`; it is searched last, so that
packages of the environment win. When standard input ends, which happens on request, when Blender
quits and when it crashes, the process gets SIGTERM as if from outside: it saves a checkpoint and
ends. This works the same on Windows, where no terminate signal can be caught.
"""

import _thread
import contextlib
import os
import runpy
import signal
import sys
import threading
from types import FrameType

YIELD = 5
"""Added niceness: Blender's viewport comes first while the engine uses all cores."""


def main() -> None:
    """Prepare the process and hand over."""
    # Python put this folder in front of sys.path; our file names must not shadow any package.
    del sys.path[0]
    sys.path.append(sys.argv.pop(1))
    if hasattr(os, "nice"):
        os.nice(YIELD)
    with contextlib.suppress(ValueError):  # until the command installs its own
        signal.signal(signal.SIGTERM, _interrupt)
    threading.Thread(target=_end_with_host, name="host", daemon=True).start()
    if sys.argv[1] == "--script":
        del sys.argv[1]
        script = sys.argv.pop(1)
        sys.argv[0] = script
        runpy.run_path(script, run_name="__main__")
    else:
        runpy.run_module("pcgs_engine", run_name="__main__", alter_sys=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _end_with_host() -> None:
    # Not sys.stdin: a thread that waits in it blocks the end of the interpreter.
    descriptor = sys.stdin.fileno()
    while os.read(descriptor, 4096):
        pass
    if os.name == "posix":
        os.kill(os.getpid(), signal.SIGTERM)  # a real signal also ends waits and sleeps
    else:
        _thread.interrupt_main(signal.SIGTERM)  # os.kill would end the process at once here


if __name__ == "__main__":
    main()
