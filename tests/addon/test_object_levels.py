"""The object: levels, keyframes, visibility, transforms, duplicates, instances, undo, deletion."""

import time
import types

import numpy as np
import pytest
from sample_files import (
    TRAINED,
    copy_of_trained,
    large_file,
    wait_until,
)

from addon.files import splat_files
from addon.objects import file_of_object, open_splats, splat_objects, visible_instances


@pytest.fixture
def obj(blender):
    blender.ops.import_scene.pcgs(filepath=str(TRAINED))
    return blender.context.object


def shown_levels(blender, *, for_render=False):
    blender.context.view_layer.update()
    found = visible_instances(blender.context, for_render=for_render)
    return [instance.key[2] for instance in found]


@pytest.mark.parametrize(("level", "shown"), [(0, []), (1, [1]), (2, [2]), (3, [3])])
def test_level_chooses_what_is_shown(blender, obj, level, shown):
    obj.pcgs.level = level
    assert shown_levels(blender) == shown
    assert shown_levels(blender, for_render=True) == [3]


def test_render_level_is_its_own(blender, obj):
    obj.pcgs.render_level = 1
    assert (shown_levels(blender), shown_levels(blender, for_render=True)) == ([3], [1])
    obj.pcgs.render_level = 0
    assert shown_levels(blender, for_render=True) == []


def test_level_beyond_the_file_becomes_its_last_one(obj):
    obj.pcgs.level = 9
    obj.pcgs.render_level = 16
    assert (obj.pcgs.level, obj.pcgs.render_level) == (3, 3)


@pytest.mark.parametrize(("levels", "slides"), [(1, False), (3, True), (5, False)])
def test_panel_never_offers_levels_a_file_lacks(obj, levels, slides):
    """A slider always ends at 3: other files get a number field that names its range."""
    from addon.panels.object_panel import _draw_levels

    drawn = []
    layout = types.SimpleNamespace(
        prop=lambda _, name, *, slider, text: drawn.append((name, slider, text)),
        label=lambda **_: None,
    )
    obj.pcgs.levels = levels
    _draw_levels(types.SimpleNamespace(column=lambda: layout), obj, None)
    note = "" if slides else f" (0 to {levels})"
    assert drawn == [
        ("level", slides, f"Level{note}"),
        ("render_level", slides, "Render Level"),
    ]


def test_keyframes_are_evaluated_at_their_frames(blender, obj):
    for frame, level, render_level in ((1, 0, 3), (10, 3, 1)):
        obj.pcgs.level, obj.pcgs.render_level = level, render_level
        obj.keyframe_insert("pcgs.level", frame=frame)
        obj.keyframe_insert("pcgs.render_level", frame=frame)
    found = []
    for frame in (1, 6, 10):
        blender.context.scene.frame_set(frame)
        found.append((shown_levels(blender), shown_levels(blender, for_render=True)))
    assert found[0] == ([], [3])
    assert found[1][0] in ([1], [2])
    assert found[2] == ([3], [1])


def test_driver_sets_the_level(blender, obj):
    driver = obj.driver_add("pcgs.level").driver
    driver.type = "SCRIPTED"
    driver.expression = "frame - 4"
    blender.context.scene.frame_set(6)
    assert shown_levels(blender) == [2]


def test_matrix_follows_object_parent_and_constraint(blender, obj):
    parent = blender.data.objects.new("parent", None)
    blender.context.collection.objects.link(parent)
    obj.parent = parent
    obj.rotation_euler = (0.0, 0.0, 0.0)
    parent.location, parent.scale = (1.0, 2.0, 3.0), (2.0, 1.0, 0.5)
    obj.location = (1.0, 0.0, 0.0)
    blender.context.view_layer.update()
    (instance,) = visible_instances(blender.context, for_render=False)
    assert instance.matrix_world.dtype == np.float64
    assert np.allclose(instance.matrix_world, np.array(obj.matrix_world))
    assert np.allclose(instance.matrix_world[:3, 3], (3.0, 2.0, 3.0))


def test_hidden_objects_and_collections_are_left_out(blender, obj):
    obj.hide_set(True)
    assert shown_levels(blender) == []
    obj.hide_set(False)
    obj.hide_viewport = True
    assert shown_levels(blender) == []
    obj.hide_viewport = False
    collection = blender.data.collections.new("splats")
    blender.context.scene.collection.children.link(collection)
    collection.objects.link(obj)
    blender.context.scene.collection.objects.unlink(obj)
    assert shown_levels(blender) == [3]
    layer = blender.context.view_layer.layer_collection.children["splats"]
    layer.exclude = True
    assert shown_levels(blender) == []
    layer.exclude = False
    layer.hide_viewport = True
    assert shown_levels(blender) == []


def test_render_visibility_counts_in_a_render_depsgraph(blender, obj):
    """A render engine of the test's own: only a render has a depsgraph of that mode."""
    found = []

    class Engine(blender.types.RenderEngine):
        bl_idname = "PCGS_TEST"
        bl_label = "test"

        def render(self, depsgraph):
            found.append(len(visible_instances(depsgraph, for_render=True)))

    blender.utils.register_class(Engine)
    try:
        scene = blender.context.scene
        camera = blender.data.objects.new("camera", blender.data.cameras.new("camera"))
        scene.collection.objects.link(camera)
        scene.camera, scene.render.engine = camera, "PCGS_TEST"
        scene.render.resolution_x = scene.render.resolution_y = 8
        for hidden in (False, True):
            obj.hide_render = hidden
            blender.ops.render.render()
        obj.hide_viewport, obj.hide_render = True, False
        blender.ops.render.render()
    finally:
        blender.context.scene.render.engine = "BLENDER_WORKBENCH"
        blender.utils.unregister_class(Engine)
    assert found == [1, 0, 1]


def test_duplicates_share_one_file_and_one_key(blender, obj):
    copy = obj.copy()
    full = obj.copy()
    full.data = obj.data.copy()
    for other in (copy, full):
        blender.context.collection.objects.link(other)
    blender.context.view_layer.update()
    instances = visible_instances(blender.context, for_render=False)
    assert len(instances) == 3
    assert len({instance.key for instance in instances}) == 1
    assert len({id(instance.cloud) for instance in instances}) == 1
    assert len(splat_files) == 1
    copy.pcgs.level = 1
    assert sorted(shown_levels(blender)) == [1, 3, 3]


def test_operator_duplicates(blender, obj):
    blender.ops.object.duplicate(linked=False)
    blender.ops.object.duplicate(linked=True)
    assert shown_levels(blender) == [3, 3, 3]
    assert len(splat_files) == 1


def test_collection_instance_shows_its_splats(blender, obj):
    collection = blender.data.collections.new("prop")
    collection.objects.link(obj)
    blender.context.scene.collection.objects.unlink(obj)
    empty = blender.data.objects.new("instance", None)
    empty.instance_type, empty.instance_collection = "COLLECTION", collection
    empty.location = (5.0, 0.0, 0.0)
    blender.context.collection.objects.link(empty)
    blender.context.view_layer.update()
    (instance,) = visible_instances(blender.context, for_render=False)
    assert np.allclose(instance.matrix_world[:3, 3], (5.0, 0.0, 0.0))
    assert instance.object_name == obj.name
    outer = blender.data.collections.new("outer")
    outer.objects.link(empty)
    blender.context.scene.collection.objects.unlink(empty)
    nested = blender.data.objects.new("nested", None)
    nested.instance_type, nested.instance_collection = "COLLECTION", outer
    nested.location = (0.0, 0.0, 7.0)
    blender.context.collection.objects.link(nested)
    blender.context.view_layer.update()
    (instance,) = visible_instances(blender.context, for_render=False)
    assert np.allclose(instance.matrix_world[:3, 3], (5.0, 0.0, 7.0))
    nested.hide_set(True)
    assert shown_levels(blender) == []


def test_renamed_object_is_still_shown(blender, obj):
    obj.name = "another name"
    (instance,) = visible_instances(blender.context, for_render=False)
    assert instance.object_name == "another name"


def test_other_objects_are_never_splats(blender, obj):
    blender.ops.mesh.primitive_cube_add()
    blender.ops.object.camera_add()
    assert len(splat_objects()) == 1
    assert shown_levels(blender) == [3]


def test_deleting_the_object_frees_the_file(blender, obj):
    assert len(splat_files) == 1
    blender.ops.object.delete()
    blender.context.view_layer.update()
    assert len(splat_files) == 0


def test_deleting_one_of_two_keeps_the_file(blender, obj):
    blender.ops.object.duplicate()
    blender.ops.object.delete()
    blender.context.view_layer.update()
    assert len(splat_files) == 1
    assert shown_levels(blender) == [3]


def test_deleting_while_decoding_is_quiet(blender, tmp_path):
    for index in range(10):
        path = copy_of_trained(tmp_path, f"{index}.pcgs")
        obj = open_splats(blender.context, path)
        blender.context.view_layer.update()
        file = file_of_object(obj)
        time.sleep(0.003 * index)
        blender.data.objects.remove(obj)
        blender.context.view_layer.update()
        assert len(splat_files) == 0
        wait_until(lambda file=file: not file.state.working)


def test_undo_of_a_level_change(blender, obj):
    blender.ops.ed.undo_push(message="import")
    obj.pcgs.level = 1
    blender.ops.ed.undo_push(message="level")
    blender.ops.ed.undo()
    (found,) = splat_objects()
    assert found.pcgs.level == 3
    blender.ops.ed.redo()
    (found,) = splat_objects()
    assert found.pcgs.level == 1
    assert shown_levels(blender) == [1]


def test_undo_of_a_deletion_brings_the_splats_back(blender, obj):
    blender.ops.ed.undo_push(message="import")
    blender.ops.object.delete()
    blender.ops.ed.undo_push(message="delete")
    blender.ops.ed.undo()
    (found,) = splat_objects()
    assert file_of_object(found).wait(seconds=30)
    assert shown_levels(blender) == [3]


def test_switching_levels_takes_less_than_a_tenth_of_a_second(blender):
    blender.ops.import_scene.pcgs(filepath=str(large_file()))
    obj = blender.context.object
    times = []
    for level in (1, 2, 3) * 3:
        start = time.perf_counter()
        obj.pcgs.level = level
        assert shown_levels(blender) == [level]
        times.append(time.perf_counter() - start)
    assert max(times) < 0.1


def test_many_other_objects_cost_little(blender, obj):
    mesh = blender.data.meshes.new("stone")
    for index in range(3000):
        blender.context.collection.objects.link(blender.data.objects.new(f"stone {index}", mesh))
    blender.context.view_layer.update()
    start = time.perf_counter()
    assert len(visible_instances(blender.context, for_render=False)) == 1
    assert time.perf_counter() - start < 0.05
