"""Whether a render may ask for a GPU context: asking where there is none ends the whole Blender.

With a window there always is one. In background mode on Linux it depends on the machine's EGL
driver, which is tried in a process of its own.
"""

import subprocess
import sys
from pathlib import Path

import bpy
import gpu

from ..engine.process import hidden_window, process_environment

__all__ = ["gpu_is_there"]

TRY_EGL = Path(__file__).with_name("try_egl.py")
TRY_SECONDS = 30.0
"""Drivers compile themselves at their first start."""


def gpu_is_there() -> bool:
    """Return whether a GPU context can be had; takes about 0.1 s in background mode."""
    if not bpy.app.background or _is_started():
        return True
    if not sys.platform.startswith("linux"):
        return True
    try:
        done = subprocess.run(
            [sys.executable, str(TRY_EGL)],
            env=process_environment(own_site=False),
            creationflags=hidden_window(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=TRY_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def _is_started() -> bool:
    try:
        gpu.platform.backend_type_get()
    except SystemError:
        return False
    return True
