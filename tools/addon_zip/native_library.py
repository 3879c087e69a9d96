"""The engine's C library for one platform, always by the same pinned compiler (ziglang).

Compiled from a copy of the sources, so neither the tree nor a library in use is touched.
"""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .platforms import Platform
from .private_tool import private_python

__all__ = ["NativeBuild", "build_native_library", "compiled_in"]

RUNTIME = "Zig compiler runtime"
PARTS = {
    RUNTIME: ("MIT", "LICENSE"),
    "mingw-w64 runtime": ("ZPL-2.1 and public domain", "lib/libc/mingw/COPYING"),
}
"""What the compiler may link in: its licence and the text's place in the ziglang package."""
FIND_COMPILER = (
    "import importlib.metadata as m; print(m.distribution('ziglang').locate_file('ziglang'))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeBuild:
    """A compiled library."""

    path: Path
    licences: Mapping[str, bytes]
    """Texts of what the compiler has linked in, by the names of `compiled_in`."""


def compiled_in(platform: str) -> dict[str, str]:
    """Return what the library holds besides our code, with its licence."""
    names = list(PARTS) if platform.startswith("windows") else [RUNTIME]
    return {name: PARTS[name][0] for name in names}


def build_native_library(
    repository: Path, platform: Platform, scratch: Path, tools: Path, wheels: tuple[Path, ...] = ()
) -> NativeBuild:
    """Compile for `platform` in the empty folder `scratch`.

    Where this Python has not the pinned compiler it is installed below `tools`, once, from the
    package index or `wheels`.

    Raises:
        DownloadError: the compiler could not be had.
        ValueError: it failed; the text is its own.
    """
    source, copy = repository / "pcgs_engine", scratch / "pcgs_engine"
    leave_out = shutil.ignore_patterns("lib", "lib_sanitized", "__pycache__")
    shutil.copytree(source / "native", copy / "native", ignore=leave_out)
    for name in ("errors.py", "__init__.py"):
        shutil.copyfile(source / name, copy / name)
    python = _python_with_compiler(repository, tools, wheels)
    environment = {**os.environ, "PYTHONPATH": str(scratch), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [python, "-m", "pcgs_engine.native.build", "--target", platform.native],
        cwd=scratch, env=environment, capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    if done.returncode:
        told = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ValueError(f"{platform.name}: the C library was not built: {told}")
    path = next((copy / "native" / "lib").glob(f"*-{platform.native}.*"))
    return NativeBuild(path=path, licences=_licences(python, platform))


def _licences(python: str, platform: Platform) -> dict[str, bytes]:
    done = subprocess.run([python, "-c", FIND_COMPILER], capture_output=True, text=True, check=True)
    folder = Path(done.stdout.strip())
    return {name: (folder / PARTS[name][1]).read_bytes() for name in compiled_in(platform.name)}


def _python_with_compiler(repository: Path, tools: Path, wheels: tuple[Path, ...]) -> str:
    """Return a Python that has ziglang: this one, or a private environment in `tools`."""
    wanted = _pinned_compiler(repository)
    try:
        if f"ziglang=={importlib.metadata.version('ziglang')}" == wanted:
            return sys.executable
    except importlib.metadata.PackageNotFoundError:
        pass  # the usual case: a plain Python
    return str(private_python(wanted, tools / "compiler", wheels))


def _pinned_compiler(repository: Path) -> str:
    text = (repository / "pyproject.toml").read_text(encoding="utf-8")
    return str(tomllib.loads(text)["project"]["optional-dependencies"]["native"][0])
