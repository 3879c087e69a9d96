"""Build the native library: `python -m pcgs_engine.native.build [--target NAME|all|--sanitize]`.

Uses ziglang (extra `native`) where installed, else `cc` for the host; writes `native/lib/`.
`--sanitize` writes a library that stops at memory errors and undefined behaviour, for fuzzing.
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

__all__ = ["SANITIZED_FOLDER", "build_sanitized", "build_target", "main"]

FOLDER = Path(__file__).parent
SANITIZED_FOLDER = FOLDER / "lib_sanitized"
"""Beside `lib/`, where no reader looks."""
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
SANITIZE_FLAGS = (
    "-std=c99",
    "-O1",
    "-g",
    "-fPIC",
    "-ffp-contract=off",
    "-shared",
    "-fvisibility=hidden",
    "-fno-omit-frame-pointer",
    "-fsanitize=address,undefined,float-cast-overflow",
    "-fno-sanitize-recover=all",
)
LOG = logging.getLogger(__name__)


def build_target(target: Target, folder: Path = LIBRARY_FOLDER) -> Path:
    """Compile the library for `target` into `folder`; returns its path.

    Raises:
        DeviceError: no compiler, or it failed.
    """
    return _compiled([*_compiler(target), *FLAGS], folder / target.file_name)


def build_sanitized(folder: Path = SANITIZED_FOLDER) -> Path:
    """Compile the host's library with AddressSanitizer and UBSan (gcc); returns its path.

    A process that loads it must have been started with libasan preloaded.

    Raises:
        DeviceError: no gcc, it failed, or this platform has no native library.
    """
    target, compiler = host_target(), shutil.which("gcc")
    if target is None or compiler is None:
        raise DeviceError("a sanitized library needs gcc and a platform with a native library")
    return _compiled([compiler, *SANITIZE_FLAGS], folder / target.file_name)


def _compiled(command: list[str], output: Path) -> Path:
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as scratch:
        # Compiled aside and moved: a library that is loaded now stays whole.
        fresh = Path(scratch) / output.name
        done = subprocess.run(
            # By its bare name: macOS writes it into the library, and a path would differ each time.
            [*command, "-o", fresh.name, *map(str, SOURCES)],
            cwd=scratch, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            line = (done.stderr.strip().splitlines() or ["no message"])[0]
            raise DeviceError(f"{output.name} does not compile: {line}")
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
    parser.add_argument("--sanitize", action="store_true", help="for fuzzing, with gcc, host only")
    options = parser.parse_args(arguments)
    wanted = options.target
    host = host_target()
    chosen = [t for t in TARGETS if wanted in ("all", t.name) or (wanted == "host" and t == host)]
    if not chosen:
        LOG.error("this platform is not among %s; the numpy backend works", names)
        return DeviceError.exit_code
    try:
        if options.sanitize:
            LOG.info("%s", build_sanitized())
            return 0
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
