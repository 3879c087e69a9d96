"""Registering and unregistering leaves nothing behind; what is registered is declared well."""

import threading

import pytest
from sample_files import TRAINED

import addon


@pytest.fixture
def obj(blender):
    blender.ops.import_scene.pcgs(filepath=str(TRAINED))
    return blender.context.object


def state(bpy):
    handlers = {
        name: len(value)
        for name in dir(bpy.app.handlers)
        if isinstance(value := getattr(bpy.app.handlers, name), list)
    }
    classes = sorted(name for name in dir(bpy.types) if name.startswith("PCGS_"))
    return handlers, classes, hasattr(bpy.types.Scene, "pcgs"), threading.active_count()


def test_register_fifty_times_leaves_nothing_behind(blender):
    blender.ops.preferences.addon_disable(module="addon")
    before = state(blender)
    assert before[1:3] == ([], False)
    for _ in range(50):
        addon.register()
        addon.unregister()
    assert state(blender) == before
    blender.ops.preferences.addon_enable(module="addon")


def test_register_failing_part_undoes_the_ones_before(blender, monkeypatch):
    blender.ops.preferences.addon_disable(module="addon")
    before = state(blender)
    with monkeypatch.context() as patched:
        patched.setattr(addon.panels, "register", _fail)
        with pytest.raises(RuntimeError, match="on purpose"):
            addon.register()
    assert state(blender) == before
    blender.ops.preferences.addon_enable(module="addon")


def _fail():
    raise RuntimeError("on purpose")


def test_operators_have_descriptions_and_ids_of_ours(blender):
    for name in dir(blender.ops.pcgs):
        rna = getattr(blender.ops.pcgs, name).get_rna_type()
        assert rna.description, name
        assert not rna.description.endswith("."), name


def path_properties(owner):
    return [
        prop.identifier
        for prop in owner.bl_rna.properties
        if prop.type == "STRING" and prop.subtype in {"FILE_PATH", "DIR_PATH"}
    ]


def test_every_path_may_be_relative_to_the_blend(blender, preferences, obj, tmp_path):
    """Blender warns from 4.5 on where a property does not say so, and warnings fail a test."""
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "here.blend"))
    found = []
    for owner in (preferences, blender.context.scene.pcgs, obj.pcgs):
        for name in path_properties(owner):
            setattr(owner, name, "//there")
            found.append(name)
    assert {"engine_python", "cache_folder", "image_folder", "run_folder", "filepath"} <= set(found)


@pytest.mark.parametrize("name", ["pcgs", "pcgs_ply"])
def test_scripts_may_give_relative_paths(blender, obj, tmp_path, name):
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "here.blend"))
    suffix = ".ply" if name == "pcgs_ply" else ".pcgs"
    getattr(blender.ops.export_scene, name)(filepath=f"//out{suffix}")
    assert (tmp_path / f"out{suffix}").is_file()
    blender.ops.import_scene.pcgs(filepath=f"//out{suffix}")
    blender.ops.import_scene.pcgs(directory="//", files=[{"name": f"out{suffix}"}])
    blender.ops.pcgs.find_file(filepath=f"//out{suffix}")
