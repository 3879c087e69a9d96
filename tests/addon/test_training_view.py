"""The object of a training's previews: it shows up, and takes nothing out of the user's hands."""

import types

import pytest

from addon.engine.training_view import show_preview
from pcgs_engine.protocol import Preview


@pytest.fixture
def job(tmp_path):
    """What the view reads of a job whose first preview has come."""
    path = tmp_path / "latest.ply"
    path.write_bytes(b"ply")
    preview = Preview(iteration=1, image="", splats=str(path))
    return types.SimpleNamespace(
        state=types.SimpleNamespace(preview=preview, scene_kind="transforms"),
        settings=types.SimpleNamespace(result=tmp_path / "chair.pcgs"),
    )


def splats(blender):
    return [obj for obj in blender.data.objects if obj.pcgs.is_splats]


def test_first_preview_becomes_the_active_object_of_a_free_scene(blender, job):
    show_preview(blender.context.scene, job, first=True)
    assert blender.context.view_layer.objects.active == splats(blender)[0]
    assert splats(blender)[0].select_get()


def test_first_preview_leaves_what_the_user_has_selected(blender, job):
    blender.ops.object.empty_add()
    show_preview(blender.context.scene, job, first=True)
    assert [obj.name for obj in blender.context.selected_objects] == ["Empty"]
    assert blender.context.view_layer.objects.active.name == "Empty"


def test_first_preview_does_not_end_an_edit_mode(blender, job):
    blender.ops.mesh.primitive_cube_add()
    blender.ops.object.mode_set(mode="EDIT")
    blender.context.object.select_set(False)
    show_preview(blender.context.scene, job, first=True)
    assert blender.context.mode == "EDIT_MESH"
    assert splats(blender)


def test_preview_after_the_user_deleted_its_object_does_not_bring_it_back(blender, job):
    show_preview(blender.context.scene, job, first=True)
    blender.data.objects.remove(splats(blender)[0])
    show_preview(blender.context.scene, job, first=False)
    assert splats(blender) == []
