"""The engine's C library for one platform, always by the same pinned compiler (ziglang).

Compiled from a copy of the sources, so neither the tree nor a library in use is touched.
"""

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

from .platforms import Platform

__all__ = ["build_native_library"]


def build_native_library(
    repository: Path, platform: Platform, scratch: Path, tools: Path
) -> Path:  # fmt: skip
    """Compile for `platform` in the empty folder `scratch`; returns the library's path.

    Where this Python has not the pinned compiler it is installed below `tools`, once.

    Raises:
        subprocess.CalledProcessError: the compiler could not be installed, or failed.
    """
    source, copy = repository / "pcgs_engine", scratch / "pcgs_engine"
    leave_out = shutil.ignore_patterns("lib", "lib_sanitized", "__pycache__")
    shutil.copytree(source / "native", copy / "native", ignore=leave_out)
    for name in ("errors.py", "__init__.py"):
        shutil.copyfile(source / name, copy / name)
    command = [_python_with_compiler(repository, tools), "-m", "pcgs_engine.native.build"]
    environment = {**os.environ, "PYTHONPATH": str(scratch), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*command, "--target", platform.native], cwd=scratch, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise subprocess.CalledProcessError(done.returncode, command)
    return next((copy / "native" / "lib").glob(f"*-{platform.native}.*"))


def _python_with_compiler(repository: Path, tools: Path) -> str:
    """Return a Python that has ziglang: this one, or a private environment in `tools`."""
    wanted = _pinned_compiler(repository)
    if importlib.util.find_spec("ziglang") is not None:
        found = importlib.metadata.version("ziglang")
        if f"ziglang=={found}" == wanted:
            return sys.executable
    folder = tools / "compiler"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / "ready").exists():
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        subprocess.run([*pip, wanted], check=True)
        (folder / "ready").touch()
    return str(python)


def _pinned_compiler(repository: Path) -> str:
    text = (repository / "pyproject.toml").read_text(encoding="utf-8")
    return str(tomllib.loads(text)["project"]["optional-dependencies"]["native"][0])
