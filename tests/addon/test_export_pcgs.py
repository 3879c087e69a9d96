"""Export of .pcgs: levels, sizes, the size told beforehand, packed files, failures."""

import pytest
from sample_files import TRAINED, copy_of_trained, level_end

from addon.files.byte_source import PackedSource
from addon.files.smaller_file import Cut, smaller_file
from addon.objects import file_of_object, visible_instances
from addon.operators.export_pcgs import PCGS_OT_export_pcgs
from pcgs_engine.codec import decode_file, inspect_file, truncate_to_bytes, truncate_to_level


@pytest.fixture
def obj(blender, tmp_path):
    blender.ops.import_scene.pcgs(filepath=str(copy_of_trained(tmp_path)))
    return blender.context.object


@pytest.mark.parametrize("level", [1, 2, 3, 9])
def test_export_of_a_level_is_the_engines_cut(blender, obj, tmp_path, level):
    path = tmp_path / "out.pcgs"
    assert blender.ops.export_scene.pcgs(filepath=str(path), level=level) == {"FINISHED"}
    assert path.read_bytes() == truncate_to_level(TRAINED, min(level, 3))
    assert decode_file(path).levels_ready == min(level, 3)


@pytest.mark.parametrize("share", [0.9, 0.97, 1.0, 5.0])
def test_export_of_a_size_is_the_engines_cut(blender, obj, tmp_path, share):
    path = tmp_path / "out.pcgs"
    size = int(share * TRAINED.stat().st_size)
    result = blender.ops.export_scene.pcgs(
        filepath=str(path), limit="SIZE", megabytes=(size + 0.5) / 1e6
    )
    assert result == {"FINISHED"}
    assert path.stat().st_size <= size + 1
    assert path.read_bytes() == truncate_to_bytes(TRAINED, size)


def test_too_small_a_size_is_told_and_writes_nothing(blender, obj, tmp_path):
    path = tmp_path / "out.pcgs"
    with pytest.raises(RuntimeError, match="level 1 needs"):
        blender.ops.export_scene.pcgs(filepath=str(path), limit="SIZE", megabytes=0.001)
    assert not path.exists()


def test_exported_file_can_be_imported_again(blender, obj, tmp_path):
    path = tmp_path / "out.pcgs"
    blender.ops.export_scene.pcgs(filepath=str(path), level=2)
    blender.ops.object.delete()
    blender.ops.import_scene.pcgs(filepath=str(path))
    assert blender.context.object.pcgs.levels == 2
    (instance,) = visible_instances(blender.context, for_render=False)
    assert instance.key[2] == 2


class Asked:
    """What the file dialog shows is computed by `_expected` of the operator."""

    _cut = PCGS_OT_export_pcgs._cut
    _expected = PCGS_OT_export_pcgs._expected

    def __init__(self, limit, level=1, megabytes=1.0):
        self.limit, self.level, self.megabytes = limit, level, megabytes


@pytest.mark.parametrize("level", [1, 2, 3])
def test_size_is_told_before_writing(blender, obj, tmp_path, level):
    text, icon = Asked("LEVEL", level)._expected(file_of_object(obj))
    size = len(truncate_to_level(TRAINED, level))
    assert (text, icon) == (f"Will be {size / 1e3:.1f} kB", "FILE_TICK")


def test_impossible_size_is_told_before_writing(blender, obj):
    text, icon = Asked("SIZE", megabytes=0.001)._expected(file_of_object(obj))
    assert "level 1 needs" in text
    assert icon == "ERROR"


def test_packed_file_is_exported(blender, obj, tmp_path):
    blender.ops.pcgs.pack_file()
    (tmp_path / "scene.pcgs").unlink()
    file_of_object(obj).wait(seconds=30)
    path = tmp_path / "out.pcgs"
    assert blender.ops.export_scene.pcgs(filepath=str(path), level=1) == {"FINISHED"}
    assert len(inspect_file(path).levels) == 1


def test_smaller_file_of_packed_bytes_equals_that_of_the_path(tmp_path):
    source = PackedSource(TRAINED.read_bytes(), "x")
    assert smaller_file(source, Cut(level=1)) == truncate_to_level(TRAINED, 1)


def test_levels_a_truncated_file_lacks_are_told(blender, tmp_path):
    path = tmp_path / "cut.pcgs"
    path.write_bytes(TRAINED.read_bytes()[: level_end(TRAINED, 1) + 10])
    blender.ops.import_scene.pcgs(filepath=str(path))
    out = tmp_path / "out.pcgs"
    with pytest.raises(RuntimeError, match="fetch the rest"):
        blender.ops.export_scene.pcgs(filepath=str(out), level=3)
    assert blender.ops.export_scene.pcgs(filepath=str(out), level=1) == {"FINISHED"}
    assert decode_file(out).levels_ready == 1


def test_unwritable_place_is_told(blender, obj, tmp_path):
    with pytest.raises(RuntimeError, match="cannot write"):
        blender.ops.export_scene.pcgs(filepath=str(tmp_path / "scene.pcgs" / "out.pcgs"))


def test_file_that_vanished_is_told(blender, obj, tmp_path):
    (tmp_path / "scene.pcgs").unlink()
    with pytest.raises(RuntimeError, match="cannot be read"):
        blender.ops.export_scene.pcgs(filepath=str(tmp_path / "out.pcgs"))


def test_ply_object_has_no_pcgs_to_export(blender, obj, tmp_path):
    path = tmp_path / "splats.ply"
    blender.ops.export_scene.pcgs_ply(filepath=str(path))
    blender.ops.import_scene.pcgs(filepath=str(path))
    with pytest.raises(RuntimeError, match=r"no readable \.pcgs"):
        blender.ops.export_scene.pcgs(filepath=str(tmp_path / "out.pcgs"))
