"""Programs in a fresh Blender without a screen: the bpy module, a user of its own."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["HAS_BPY", "BpyUser"]

HAS_BPY = any((Path(p) / "bpy").is_dir() for p in sys.path)
REPOSITORY = Path(__file__).resolve().parents[2]
TRAINED = REPOSITORY / "tests" / "golden" / "trained.pcgs"
SECONDS = 540
"""A machine that is busy with other things takes ten times as long as an idle one."""
START = f"""
import os, sys
from pathlib import Path
# An editable install puts the checkout here; a user's Blender has none.
sys.path[:] = [folder for folder in sys.path if folder != {str(REPOSITORY)!r}]
import bpy
sys.path.insert(0, {str(Path(__file__).parent)!r})
from inside_bpy import *
home, splat_file = Path(sys.argv[1]), sys.argv[2]
"""
END = """
sys.stdout.flush()
os._exit(0)  # bpy's own clean-up can hang or crash
"""


class BpyUser:
    """A user's folders; every program is one session of Blender with them."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.resources = home / "user"
        self.temporary = home / "temporary"
        self.splat_file = home / "scene.pcgs"
        self.temporary.mkdir(parents=True)
        self.splat_file.write_bytes(TRAINED.read_bytes())

    def session(self, program: str, *, prefix: Sequence[str] = (), **variables: str) -> str:
        """Run a program to its end; returns all it printed, in which there is no traceback.

        `inside_bpy` is imported; `home` and `splat_file` are set.
        """
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
        }
        environment |= {
            "BLENDER_USER_RESOURCES": str(self.resources),
            "TMPDIR": str(self.temporary),
            "PYTHONUTF8": "1",
            **variables,
        }
        done = subprocess.run(
            [*prefix, sys.executable, "-c", START + program + END, self.home, self.splat_file],
            cwd=self.home, env=environment, timeout=SECONDS,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8",
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        assert "Traceback" not in done.stdout, done.stdout
        return done.stdout

    def left_behind(self) -> list[Path]:
        """Return what the folders hold of the add-on and of its wheels."""
        folders = (self.resources, self.temporary)
        found = [path for folder in folders for path in folder.rglob("*")]
        return [path for path in found if "pcgs" in path.name or "plyfile" in path.name]
