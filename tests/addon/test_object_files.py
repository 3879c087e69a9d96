"""The object and the .blend: saving, relative paths, packing, linked libraries, missing files."""

import threading
from pathlib import Path

import bpy
import pytest
from sample_files import TRAINED, copy_of_trained, flipped, level_end, wait_until

import addon
from addon.files import FileState, splat_files
from addon.objects import file_of_object, splat_objects, visible_instances
from pcgs_engine.codec import truncate_to_level


@pytest.fixture
def obj(blender, tmp_path):
    """An object in a saved .blend that shows a file beside it."""
    folder = tmp_path / "project"
    folder.mkdir()
    blender.ops.wm.save_as_mainfile(filepath=str(folder / "scene.blend"))
    blender.ops.import_scene.pcgs(filepath=str(copy_of_trained(folder)))
    return blender.context.object


def only_object():
    (obj,) = splat_objects()
    return obj


def save(blender, path=None):
    blender.ops.wm.save_as_mainfile(filepath=str(path or blender.data.filepath))


def reload(blender):
    blender.ops.wm.open_mainfile(filepath=blender.data.filepath)


def shown_levels(blender):
    blender.context.view_layer.update()
    found = visible_instances(blender.context, for_render=True)
    return [instance.key[2] for instance in found]


def test_save_and_reload_keep_everything(blender, obj):
    obj.pcgs.level, obj.pcgs.render_level = 1, 2
    save(blender)
    reload(blender)
    found = only_object()
    assert (found.pcgs.level, found.pcgs.render_level, found.pcgs.levels) == (1, 2, 3)
    assert shown_levels(blender) == [2]


def test_path_is_relative_and_folder_can_move(blender, obj, tmp_path):
    assert obj.pcgs.filepath == "//scene.pcgs"
    save(blender)
    moved = tmp_path / "elsewhere"
    (tmp_path / "project").rename(moved)
    blender.ops.wm.open_mainfile(filepath=str(moved / "scene.blend"))
    assert shown_levels(blender) == [3]


def test_save_as_into_another_folder_keeps_the_file(blender, obj, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    save(blender, other / "scene.blend")
    assert only_object().pcgs.filepath == "//../project/scene.pcgs"
    reload(blender)
    assert shown_levels(blender) == [3]


def test_save_a_copy_into_another_folder_leaves_the_open_file_alone(blender, obj, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    copy = other / "scene.blend"
    blender.ops.wm.save_as_mainfile(filepath=str(copy), copy=True)
    assert only_object().pcgs.filepath == "//scene.pcgs"
    blender.ops.wm.open_mainfile(filepath=str(copy))
    assert only_object().pcgs.filepath == "//../project/scene.pcgs"
    assert shown_levels(blender) == [3]


def test_first_save_makes_paths_relative(blender, tmp_path):
    blender.ops.import_scene.pcgs(filepath=str(copy_of_trained(tmp_path)))
    assert only_object().pcgs.filepath == str(tmp_path / "scene.pcgs")
    save(blender, tmp_path / "scene.blend")
    assert only_object().pcgs.filepath == "//scene.pcgs"


def test_packed_file_needs_no_other(blender, obj, tmp_path):
    assert blender.ops.pcgs.pack_file() == {"FINISHED"}
    save(blender)
    (tmp_path / "project" / "scene.pcgs").unlink()
    reload(blender)
    assert shown_levels(blender) == [3]
    found = only_object()
    assert found.data.pcgs.packed == TRAINED.read_bytes()
    assert file_of_object(found).path is None


def test_unpacked_file_is_shown_again(blender, obj, tmp_path):
    blender.ops.pcgs.pack_file()
    target = tmp_path / "out" / "again.pcgs"
    assert blender.ops.pcgs.unpack_file(filepath=str(target)) == {"FINISHED"}
    assert target.read_bytes() == TRAINED.read_bytes()
    assert not only_object().data.pcgs.packed
    assert file_of_object(only_object()).path == target
    assert shown_levels(blender) == [3]


def test_copies_of_a_packed_object_share_one_decoded_file(blender, obj):
    blender.ops.pcgs.pack_file()
    blender.ops.object.duplicate(linked=False)
    assert shown_levels(blender) == [3, 3]
    assert len(splat_files) == 1


def test_packing_an_incomplete_file_is_refused(blender, obj, tmp_path):
    path = tmp_path / "project" / "scene.pcgs"
    path.write_bytes(TRAINED.read_bytes()[: level_end(TRAINED, 1)])
    with pytest.raises(RuntimeError, match="not complete"):
        blender.ops.pcgs.pack_file()
    path.unlink()
    with pytest.raises(RuntimeError, match="Find File"):
        blender.ops.pcgs.pack_file()
    assert not obj.data.pcgs.packed


def test_unpacking_onto_a_folder_is_told_and_keeps_the_bytes(blender, obj, tmp_path):
    blender.ops.pcgs.pack_file()
    with pytest.raises(RuntimeError, match="cannot write"):
        blender.ops.pcgs.unpack_file(filepath=str(tmp_path / "project"))
    assert only_object().data.pcgs.packed


def test_missing_file_keeps_the_object_and_find_file_mends_it(blender, obj, tmp_path):
    obj.location = (1.0, 2.0, 3.0)
    obj.pcgs.level = 2
    save(blender)
    path = tmp_path / "project" / "scene.pcgs"
    moved = tmp_path / "moved.pcgs"
    path.rename(moved)
    blend = blender.data.filepath
    blender.ops.wm.read_homefile(use_empty=True)  # forgets what is decoded
    blender.ops.wm.open_mainfile(filepath=blend)
    found = only_object()
    assert shown_levels(blender) == []
    file = file_of_object(found)
    assert file.state is FileState.MISSING
    assert "Find File" in file.message
    blender.context.view_layer.objects.active = found
    assert blender.ops.pcgs.find_file(filepath=str(moved)) == {"FINISHED"}
    assert shown_levels(blender) == [3]
    assert (found.pcgs.level, tuple(found.location)) == (2, (1.0, 2.0, 3.0))
    assert found.pcgs.filepath == "//../moved.pcgs"


@pytest.mark.parametrize(("level", "expected"), [(3, 2), (1, 1), (0, 0)])
def test_last_level_stays_the_last_one_in_another_file(blender, obj, tmp_path, level, expected):
    obj.pcgs.level = level
    path = tmp_path / "shorter.pcgs"
    path.write_bytes(truncate_to_level(TRAINED, 2))
    blender.ops.pcgs.find_file(filepath=str(path))
    assert (obj.pcgs.level, obj.pcgs.render_level, obj.pcgs.levels) == (expected, 2, 2)
    blender.ops.pcgs.find_file(filepath=str(TRAINED))
    assert obj.pcgs.level == (3 if level == 3 else level)
    assert obj.pcgs.render_level == 3


def test_find_file_refuses_what_is_no_splat_file(blender, obj, tmp_path):
    text = tmp_path / "text.pcgs"
    text.write_text("hello " * 50)
    for path, words in ((text, "not a .pcgs"), (tmp_path / "none.pcgs", "no such file")):
        with pytest.raises(RuntimeError, match=words):
            blender.ops.pcgs.find_file(filepath=str(path))
    assert obj.pcgs.filepath == "//scene.pcgs"
    assert shown_levels(blender) == [3]


def test_reload_takes_up_a_repaired_file(blender, obj, tmp_path):
    path = tmp_path / "project" / "scene.pcgs"
    path.write_bytes(flipped(TRAINED.read_bytes(), level_end(TRAINED, 1) + 40))
    blender.ops.pcgs.reload_file()
    assert file_of_object(obj).state is FileState.DAMAGED
    path.write_bytes(TRAINED.read_bytes())
    blender.ops.pcgs.reload_file()
    assert file_of_object(obj).state is FileState.READY
    assert shown_levels(blender) == [3]


def test_retrained_file_is_taken_up_in_place(blender, obj, tmp_path):
    path = tmp_path / "project" / "scene.pcgs"
    before = visible_instances(blender.context, for_render=True)[0].key
    path.write_bytes((TRAINED.parent / "explicit.pcgs").read_bytes())
    file = file_of_object(obj)
    file.refresh()
    file.wait(seconds=30)
    (instance,) = visible_instances(blender.context, for_render=True)
    assert instance.key != before
    assert len(instance.cloud) != 2400


def test_object_linked_from_a_library_finds_its_file(blender, obj, tmp_path):
    save(blender)
    library = blender.data.filepath
    name = obj.name
    other = tmp_path / "shots"
    other.mkdir()
    blender.ops.wm.read_homefile(use_empty=True)
    save(blender, other / "shot.blend")
    with blender.data.libraries.load(library, link=True, relative=True) as (_, target):
        target.objects = [name]
    linked = target.objects[0]
    blender.context.collection.objects.link(linked)
    assert shown_levels(blender) == [3]
    save(blender)
    reload(blender)
    assert only_object().library is not None
    assert shown_levels(blender) == [3]
    override = only_object().override_create(remap_local_usages=True)
    override.pcgs.level = 1
    override.pcgs.render_level = 2
    assert shown_levels(blender) == [2]


@pytest.mark.skipif(
    not hasattr(bpy.app.handlers, "blend_import_post"), reason="Blender 4.2 tells of no append"
)
def test_object_appended_from_another_folder_finds_its_file(blender, obj, tmp_path):
    save(blender)
    library, name = blender.data.filepath, obj.name
    other = tmp_path / "shots"
    other.mkdir()
    blender.ops.wm.read_homefile(use_empty=True)
    save(blender, other / "shot.blend")
    with blender.data.libraries.load(library, link=False) as (_, target):
        target.objects = [name]
    blender.context.collection.objects.link(target.objects[0])
    assert target.objects[0].pcgs.filepath == "//../project/scene.pcgs"
    assert shown_levels(blender) == [3]


def test_linked_object_cannot_be_changed_and_says_why(blender, obj, tmp_path):
    save(blender)
    library, name = blender.data.filepath, obj.name
    blender.ops.wm.read_homefile(use_empty=True)
    with blender.data.libraries.load(library, link=True) as (_, target):
        target.objects = [name]
    blender.context.collection.objects.link(target.objects[0])
    blender.context.view_layer.objects.active = target.objects[0]
    for operator in (blender.ops.pcgs.pack_file, blender.ops.pcgs.find_file):
        with pytest.raises(RuntimeError, match="linked"):
            operator()


def test_operators_without_a_splat_object_say_what_they_need(blender):
    blender.ops.mesh.primitive_cube_add()
    for operator in (
        blender.ops.pcgs.find_file,
        blender.ops.pcgs.pack_file,
        blender.ops.pcgs.reload_file,
        blender.ops.pcgs.set_level,
        blender.ops.export_scene.pcgs,
        blender.ops.export_scene.pcgs_ply,
    ):
        with pytest.raises(RuntimeError, match="Select an object that shows splats"):
            operator()


def test_loading_another_file_forgets_what_it_does_not_show(blender, obj):
    assert len(splat_files) == 1
    blender.ops.wm.read_homefile(use_empty=True, load_ui=False)
    assert len(splat_files) == 0


def test_disabling_the_addon_leaves_no_thread_handler_or_property(blender, tmp_path):
    for index in range(5):
        blender.ops.import_scene.pcgs(filepath=str(copy_of_trained(tmp_path, f"{index}.pcgs")))
    blender.ops.preferences.addon_disable(module="addon")
    wait_until(lambda: not any("pcgs decode" in thread.name for thread in threading.enumerate()))
    assert len(splat_files) == 0
    assert not hasattr(blender.types.Object, "pcgs")
    for name in ("depsgraph_update_post", "load_post", "undo_post", "redo_post", "save_pre"):
        handlers = getattr(blender.app.handlers, name)
        assert not [h for h in handlers if h.__module__.startswith(addon.__name__)]
    blender.ops.preferences.addon_enable(module="addon")
    assert shown_levels(blender) == [3] * 5


def test_blend_without_the_addon_keeps_its_objects(blender, obj, tmp_path):
    obj.pcgs.level = 2
    blender.ops.pcgs.pack_file()
    save(blender)
    blender.ops.preferences.addon_disable(module="addon")
    path = Path(blender.data.filepath)
    blender.ops.wm.open_mainfile(filepath=str(path))
    blender.ops.wm.save_as_mainfile(filepath=str(path))
    blender.ops.preferences.addon_enable(module="addon")
    blender.ops.wm.open_mainfile(filepath=str(path))
    assert only_object().pcgs.level == 2
    assert shown_levels(blender) == [3]
