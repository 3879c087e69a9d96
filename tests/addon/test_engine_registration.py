"""Registering and unregistering leaves nothing behind."""

import threading

import pytest

import addon


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
