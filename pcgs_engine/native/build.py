"""Build the native library: `python -m pcgs_engine.native.build [--target NAME|all]`.

Uses ziglang (extra `native`) where installed, else `cc` for the host; writes `native/lib/`.
"""

import argparse
import importlib.util
import logging
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ..errors import DeviceError
from .library import LIBRARY_FOLDER, load_library
from .targets import TARGETS, Target, host_target

__all__ = ["build_target", "main"]

FOLDER = Path(__file__).parent
SOURCES = tuple(sorted(FOLDER.glob("*.c")))
# Float arithmetic is part of the format: no contraction, no fast-math.
FLAGS = (
    "-std=c99",
    "-O3",
    "-ffp-contract=off",
    "-shared",
    "-fvisibility=hidden",
    "-Wall",
    "-Wextra",
)
LOG = logging.getLogger(__name__)


def build_target(target: Target, folder: Path = LIBRARY_FOLDER) -> Path:
    """Compile the library for `target` into `folder`; returns its path.

    Raises:
        DeviceError: no compiler, or it failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / target.file_name
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        # Compiled aside and moved: a library that is loaded now stays whole.
        fresh = Path(scratch) / target.file_name
        command = [*_compiler(target), *FLAGS, "-o", str(fresh), *map(str, SOURCES)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            line = (done.stderr.strip().splitlines() or ["no message"])[0]
            raise DeviceError(f"native library does not compile for {target.name}: {line}")
        fresh.replace(output)
    return output


def _compiler(target: Target) -> list[str]:
    if importlib.util.find_spec("ziglang") is not None:
        flags = ["-target", target.zig, "-s"]
        return [sys.executable, "-m", "ziglang", "cc", *flags]
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if target != host_target() or compiler is None:
        raise DeviceError(
            f"no compiler for {target.name}; pip install ziglang==0.17.1 and run this again"
        )
    return [compiler, "-fPIC"]


def main(arguments: list[str] | None = None) -> int:
    """Build what the command line names; returns the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(prog="python -m pcgs_engine.native.build")
    names = [t.name for t in TARGETS]
    parser.add_argument("--target", choices=["host", "all", *names], default="host")
    wanted = parser.parse_args(arguments).target
    host = host_target()
    chosen = [t for t in TARGETS if wanted in ("all", t.name) or (wanted == "host" and t == host)]
    if not chosen:
        LOG.error("this platform is not among %s; the numpy backend works", names)
        return DeviceError.exit_code
    try:
        for target in chosen:
            path = build_target(target)
            LOG.info("%s: %d bytes", path, path.stat().st_size)
            if target == host:
                load_library(path)
    except DeviceError as error:
        LOG.error("%s", error)  # noqa: TRY400 - one line for the user, no traceback
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
