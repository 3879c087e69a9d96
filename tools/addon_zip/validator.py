"""Blender's own opinion of a zip: runs its extension tool where this machine has one."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["validate_with_blender"]

TOOL = "scripts/addons_core/bl_pkg/cli/blender_ext.py"


def validate_with_blender(zip_file: Path) -> str | None:
    """Return which Blender accepted the zip, or None where there is none to ask.

    Raises:
        ValueError: it was refused; the text is Blender's.
    """
    module, program = importlib.util.find_spec("bpy"), shutil.which("blender")
    if module is not None and module.origin:
        tool = next(Path(module.origin).parent.glob(f"*/{TOOL}"))
        command, name = [sys.executable, str(tool), "validate"], f"bpy {tool.parents[4].name}"
    elif program is not None:
        command, name = [program, "--command", "extension", "validate"], program
    else:
        return None
    done = subprocess.run([*command, str(zip_file)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"{zip_file.name}: {name} refuses it: {done.stdout}{done.stderr}")
    return name
