"""A pinned program from the package index in an environment of its own, installed once."""

import os
import subprocess
import venv
from pathlib import Path

from .download import PIP, DownloadError, pip_failure

__all__ = ["private_python"]


def private_python(requirement: str, folder: Path, wheels: tuple[Path, ...] = ()) -> Path:
    """Return the Python of an environment in `folder` that has `requirement`.

    Args:
        requirement: pinned.
        folder: of the environment; made anew where it is not whole or has another version.
        wheels: folders that are looked through besides the package index.

    Raises:
        DownloadError: it could not be installed.
        OSError: the environment cannot be written.
    """
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ready = folder / "ready"
    if ready.is_file() and ready.read_text(encoding="utf-8") == requirement:
        return python
    try:
        venv.create(folder, with_pip=True, clear=True)
    except subprocess.CalledProcessError as error:
        told = (error.output or b"").decode(errors="replace").strip().splitlines()
        raise OSError(
            f"{folder}: no environment could be made ({(told or ['no message'])[-1]}); this needs "
            "a Python with venv and ensurepip, and room for 500 MB"
        ) from error
    options = [f"--find-links={folder}" for folder in wheels]
    done = subprocess.run(
        [str(python), "-m", "pip", "install", *PIP, "--quiet", *options, requirement],
        capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    if done.returncode:
        raise DownloadError(pip_failure(done.stdout + done.stderr, requirement, folder))
    ready.write_text(requirement, encoding="utf-8")
    return python
