"""Where the GUI Blenders of this machine are; a test that needs one is skipped where it is not."""

import os
from pathlib import Path

import pytest

__all__ = ["gui_root"]


def gui_root(suite: str) -> Path:
    """Folder of a GUI Blender; skips the test where there is none."""
    given = os.environ.get("PCGS_BLENDER_GUI")
    if not given:
        pytest.skip("PCGS_BLENDER_GUI names no folder of GUI Blenders; run nox -s blender")
    root = Path(given) / suite
    if not (root / ".blender-gui-ready").exists():
        pytest.skip(f"no GUI Blender of Debian {suite} here: its set-up failed or was not run")
    if os.geteuid() != 0:
        pytest.skip("a private mount namespace needs root")
    return root
