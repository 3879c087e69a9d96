"""The zip in a bpy module, without a screen: installed as a user does, used, removed.

Needs bpy; skipped where it is absent. `nox -s addon` runs it.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    not any((Path(p) / "bpy").is_dir() for p in sys.path), reason="this Python has no bpy"
)
REPOSITORY = Path(__file__).resolve().parents[2]
TRAINED = REPOSITORY / "tests" / "golden" / "trained.pcgs"
START = (
    f"""
import os, sys
# An editable install puts the checkout here; a user's Blender has none.
sys.path[:] = [folder for folder in sys.path if folder != {str(REPOSITORY)!r}]
"""
    + """
import bpy
MODULE = "bl_ext.user_default.pcgs"
def install(path):
    return bpy.ops.extensions.package_install_files(
        filepath=path, repo="user_default", enable_on_install=True)
def handlers():
    return {n: len(x) for n in dir(bpy.app.handlers) for x in [getattr(bpy.app.handlers, n)]
            if isinstance(x, list)}
zip_file, splat_file, folder = sys.argv[1:]
before = handlers()
types_before = set(dir(bpy.types))
assert install(zip_file) == {"FINISHED"}
addon = sys.modules[MODULE]
"""
)
END = """
sys.stdout.flush()
os._exit(0)  # bpy's own clean-up can hang or crash
"""


@pytest.fixture
def in_bpy(addon_zip: Path, tmp_path: Path):
    """Run a program in a fresh Blender with the zip installed; returns what it printed."""

    def run(program: str, zip_file: Path = addon_zip) -> str:
        scene = tmp_path / "scene.pcgs"
        scene.write_bytes(TRAINED.read_bytes())
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
        }
        environment["BLENDER_USER_RESOURCES"] = str(tmp_path / "user")
        done = subprocess.run(
            [sys.executable, "-c", START + program + END, zip_file, scene, tmp_path],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
        return done.stdout

    return run


def test_zip_brings_its_own_engine_and_library(in_bpy, tmp_path: Path) -> None:
    out = in_bpy(
        "import pcgs_engine, numpy\nfrom pcgs_engine.native import load_native\n"
        "print('ENGINE', pcgs_engine.__file__)\nprint('NATIVE', load_native()._name)\n"
        "print('NUMPY', numpy.__file__)\nprint('TORCH', 'torch' in sys.modules)\n"
    )
    lines = dict(line.split(" ", 1) for line in out.splitlines() if line.split(" ")[0].isupper())
    assert lines["ENGINE"].startswith(str(tmp_path / "user"))
    assert lines["NATIVE"].startswith(str(tmp_path / "user"))
    assert not lines["NUMPY"].startswith(str(tmp_path / "user"))
    assert lines["TORCH"] == "False"


def test_enabled_fifty_times_and_removed_leaves_nothing(in_bpy, tmp_path: Path) -> None:
    in_bpy(
        "enabled = handlers()\n"
        "for _ in range(50):\n"
        "    bpy.ops.preferences.addon_disable(module=MODULE)\n"
        "    bpy.ops.preferences.addon_enable(module=MODULE)\n"
        "assert handlers() == enabled, (handlers(), enabled)\n"
        "repos = bpy.context.preferences.extensions.repos\n"
        "index = [r.module for r in repos].index('user_default')\n"
        "bpy.ops.extensions.package_uninstall(repo_index=index, pkg_id='pcgs')\n"
        "assert handlers() == before, (handlers(), before)\n"
        "left = [n for n in set(dir(bpy.types)) - types_before if 'pcgs' in n.lower()]\n"
        "assert not left, left\n"
        "assert not hasattr(bpy.types.Scene, 'pcgs')\n"
        "assert not hasattr(bpy.types.Object, 'pcgs')\n"
    )
    found = [p for p in (tmp_path / "user").rglob("*") if "pcgs" in p.name]
    assert found == []


def test_imported_file_survives_saving_and_loading_in_another_blender(
    in_bpy, tmp_path: Path
) -> None:
    save = (
        "assert bpy.ops.import_scene.pcgs(filepath=splat_file) == {'FINISHED'}\n"
        "o = bpy.context.object\no.pcgs.level = 2\n"
        "bpy.ops.wm.save_as_mainfile(filepath=os.path.join(folder, 'a.blend'))\n"
    )
    in_bpy(save)
    out = in_bpy(
        "bpy.ops.wm.open_mainfile(filepath=os.path.join(folder, 'a.blend'))\n"
        "o = next(o for o in bpy.data.objects if o.pcgs.is_splats)\n"
        "files = sys.modules[MODULE + '.files'].splat_files\n"
        "sys.modules[MODULE + '.objects.file_of_object'].file_of_object(o).wait()\n"
        "print('LEVEL', o.pcgs.level, o.pcgs.levels, o.pcgs.filepath, len(files))\n"
    )
    assert "LEVEL 2 3 //scene.pcgs 1" in out


def test_higher_version_replaces_the_older_one_in_use(
    in_bpy, addon_zip: Path, tmp_path: Path
) -> None:
    import zipfile

    newer = tmp_path / "newer.zip"
    with zipfile.ZipFile(addon_zip) as old, zipfile.ZipFile(newer, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "blender_manifest.toml":
                lines = data.decode().splitlines()
                data = "\n".join(
                    'version = "99.0.0"' if line.startswith("version") else line for line in lines
                ).encode()
            new.writestr(name, data)
    in_bpy(
        "assert bpy.ops.import_scene.pcgs(filepath=splat_file) == {'FINISHED'}\n"
        f"assert install({str(newer)!r}) == {{'FINISHED'}}\n"
        "assert MODULE in bpy.context.preferences.addons\n"
        "assert bpy.ops.import_scene.pcgs(filepath=splat_file) == {'FINISHED'}\n"
        "assert bpy.context.object.pcgs.levels == 3\n"
        "import tomllib, pathlib\n"
        "text = (pathlib.Path(sys.modules[MODULE].__file__).parent / 'blender_manifest.toml')\n"
        "assert tomllib.loads(text.read_text())['version'] == '99.0.0'\n"
    )
