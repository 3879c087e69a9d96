"""The zip in a bpy module, without a screen: what it brings, and that it goes as it came.

Needs bpy; skipped where it is absent. `nox -s addon` runs it.
"""

from pathlib import Path

from bpy_process import BpyUser


def test_zip_brings_its_own_engine_and_library(user: BpyUser, addon_zip: Path) -> None:
    out = user.session(
        f"install({str(addon_zip)!r})\n"
        "import pcgs_engine, numpy\nfrom pcgs_engine.native import load_native\n"
        "print('ENGINE', pcgs_engine.__file__)\nprint('NATIVE', load_native()._name)\n"
        "print('NUMPY', numpy.__file__)\nprint('TORCH', 'torch' in sys.modules)\n"
    )
    lines = dict(line.split(" ", 1) for line in out.splitlines() if line.split(" ")[0].isupper())
    assert lines["ENGINE"].startswith(str(user.resources))
    assert lines["NATIVE"].startswith(str(user.resources))
    assert not lines["NUMPY"].startswith(str(user.resources))
    assert lines["TORCH"] == "False"


def test_enabled_fifty_times_and_removed_leaves_nothing(user: BpyUser, addon_zip: Path) -> None:
    user.session(
        "before = Traces()\n"
        f"install({str(addon_zip)!r})\n"
        "enabled = Traces()\n"
        "for _ in range(50):\n"
        "    disable()\n"
        "    enable()\n"
        "assert enabled.differences(Traces()) == [], enabled.differences(Traces())\n"
        "remove()\n"
        "assert before.differences(Traces()) == [], before.differences(Traces())\n"
    )
    assert user.left_behind() == []


def test_imported_file_survives_saving_and_loading_in_another_blender(
    user: BpyUser, addon_zip: Path
) -> None:
    user.session(
        f"install({str(addon_zip)!r})\nbpy.ops.wm.save_userpref()\n"
        "assert bpy.ops.import_scene.pcgs(filepath=splat_file) == {'FINISHED'}\n"
        "bpy.context.object.pcgs.level = 2\n"
        "bpy.ops.wm.save_as_mainfile(filepath=str(home / 'a.blend'))\n"
    )
    out = user.session(
        "enable()\nbpy.ops.wm.open_mainfile(filepath=str(home / 'a.blend'))\n"
        "o = splat_object()\ndecoded(o)\n"
        "files = module('files').splat_files\n"
        "print('LEVEL', o.pcgs.level, o.pcgs.levels, o.pcgs.filepath, len(files))\n"
    )
    assert "LEVEL 2 3 //scene.pcgs 1" in out
