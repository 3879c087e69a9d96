"""What the environment is made for and with: platform, Blender's Python, NVIDIA driver."""

import importlib.util
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ..engine.process import hidden_window

__all__ = [
    "OLDEST_DRIVER",
    "Driver",
    "Machine",
    "blender_python",
    "nvidia_driver",
    "python_fault",
    "this_machine",
]

OLDEST_DRIVER = 580
"""The first that runs CUDA 13, which torch's wheels are built with."""
DRIVER_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A platform by Blender's name and a Python version, as engine.lock lists them."""

    platform: str
    python: str

    def __str__(self) -> str:
        """As a message names it."""
        return f"{self.platform} and Python {self.python}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """The NVIDIA driver and its first GPU."""

    gpu: str
    version: str

    @property
    def fault(self) -> str:
        """Why torch's CUDA build cannot use it; empty where it can."""
        major = self.version.partition(".")[0]
        if major.isdigit() and int(major) < OLDEST_DRIVER:
            return (
                f"driver {self.version} of {self.gpu} is too old, CUDA needs {OLDEST_DRIVER} "
                "or newer"
            )
        return ""


def this_machine() -> Machine:
    """Return what this process runs on."""
    system = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")
    processor = platform.machine().lower()
    processor = {"amd64": "x64", "x86_64": "x64", "aarch64": "arm64"}.get(processor, processor)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Machine(platform=f"{system}-{processor}", python=version)


def blender_python() -> Path:
    """Return the Python program of this process; some builds name Blender itself in its place."""
    program = Path(sys.executable)
    if program.stem.lower().startswith("python"):
        return program
    return Path(getattr(sys, "_base_executable", "") or program)


def python_fault() -> str:
    """Return why Blender's own Python cannot make an environment; empty where it can."""
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if not missing:
        return ""
    return (
        f"Blender's Python ({blender_python()}) lacks {' and '.join(missing)}, as those of some "
        "Linux distributions do; use a Blender from blender.org, or name a Python that can train "
        "as Engine Python in the add-on's preferences"
    )


def nvidia_driver() -> Driver | None:
    """Ask the driver's own program; None where there is no NVIDIA driver or GPU."""
    program = shutil.which("nvidia-smi")
    if program is None and sys.platform == "win32":
        inside = Path("C:/Windows/System32/nvidia-smi.exe")
        program = str(inside) if inside.is_file() else None
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, "--query-gpu=name,driver_version", "--format=csv,noheader"],
            capture_output=True, text=True, check=True, timeout=DRIVER_SECONDS,
            creationflags=hidden_window(),
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    gpu, comma, version = done.stdout.partition("\n")[0].rpartition(",")
    return Driver(gpu=gpu.strip(), version=version.strip()) if comma else None
