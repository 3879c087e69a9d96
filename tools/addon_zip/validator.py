"""Blender's own opinion of a zip: runs its extension tool where this machine has one.

Nothing is installed for it: a Blender or a Python with bpy is named, or found, or there is none.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Validator", "find_validator"]

FIND_TOOL = (
    "import importlib.util, pathlib, sys\n"
    "spec = importlib.util.find_spec('bpy')\n"
    "if spec is None or not spec.origin: sys.exit(3)\n"
    "tool = 'scripts/addons_core/bl_pkg/cli/blender_ext.py'\n"
    "print(next(pathlib.Path(spec.origin).parent.glob('*/' + tool)))\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Validator:
    """A program that validates a zip."""

    name: str
    command: tuple[str, ...]
    """The zip follows."""

    def validate(self, zip_file: Path) -> None:
        """Ask it.

        Raises:
            ValueError: it refuses the zip; the text is Blender's.
        """
        command = [*self.command, str(zip_file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            told = (done.stdout + done.stderr).strip()
            raise ValueError(f"{zip_file.name}: {self.name} refuses it: {told}")


def find_validator(chosen: Path | None) -> Validator | None:
    """Return the Blender to ask: the chosen one, bpy in this Python, or `blender` on the path.

    Raises:
        ValueError: the chosen program is no Blender and no Python with bpy.
    """
    if chosen is None:
        program = shutil.which("blender")
        return _of_bpy(sys.executable) or (_of_blender(program) if program else None)
    if chosen.stem.lower().startswith("python"):
        found = _of_bpy(str(chosen))
        if found is None:
            raise ValueError(f"{chosen} has no bpy; run `{chosen} -m pip install bpy` first")
        return found
    if shutil.which(chosen) is None:
        raise ValueError(f"{chosen} is no program; name a Blender, or a Python with bpy")
    return _of_blender(str(chosen))


def _of_bpy(python: str) -> Validator | None:
    try:
        done = subprocess.run(
            [python, "-c", FIND_TOOL], capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise ValueError(f"{python} cannot be started: {error.strerror}") from error
    if done.returncode:
        return None
    tool = Path(done.stdout.strip())
    return Validator(name=f"bpy {tool.parents[4].name}", command=(python, str(tool), "validate"))


def _of_blender(program: str) -> Validator:
    return Validator(name=program, command=(program, "--command", "extension", "validate"))
