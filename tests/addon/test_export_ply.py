"""Export of PLY: the level as the object stands, for viewers that know nothing of objects."""

import numpy as np
import pytest
from sample_files import TRAINED, flipped, level_end

from addon.objects import file_of_object
from pcgs_engine.splats.ply import read_ply
from pcgs_engine.splats.spherical_harmonics import colors


@pytest.fixture
def obj(blender):
    blender.ops.import_scene.pcgs(filepath=str(TRAINED), up_axis="POSITIVE_Z")
    return blender.context.object


def export(blender, folder, **options):
    path = folder / "out.ply"
    assert blender.ops.export_scene.pcgs_ply(filepath=str(path), **options) == {"FINISHED"}
    return read_ply(path)


def place(blender, obj):
    obj.location, obj.rotation_euler, obj.scale = (1.0, -2.0, 3.0), (0.4, -0.7, 1.1), (2.0,) * 3
    blender.context.view_layer.update()
    return np.array(obj.matrix_world, dtype=np.float64)


def covariances(cloud):
    w, x, y, z = cloud.quats.astype(np.float64).T
    rows = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    axes = np.moveaxis(rows, -1, 0) * cloud.scales[:, None, :].astype(np.float64)
    return axes @ axes.transpose(0, 2, 1)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_level_is_written_as_in_the_file(blender, obj, tmp_path, level):
    place(blender, obj)
    written = export(blender, tmp_path, level=level, use_transform=False)
    cloud = file_of_object(obj).cloud(level)
    assert np.array_equal(written.means, cloud.means)
    assert np.allclose(written.scales, cloud.scales, rtol=1e-5)
    assert np.allclose(written.opacities, cloud.opacities, atol=1e-5)
    assert np.array_equal(written.sh, cloud.sh)


def test_object_transform_is_applied_to_places_shapes_and_colours(blender, obj, tmp_path):
    matrix = place(blender, obj)
    written = export(blender, tmp_path)
    cloud = file_of_object(obj).cloud(3)
    linear = matrix[:3, :3]
    assert np.allclose(written.means, cloud.means @ linear.T + matrix[:3, 3], atol=1e-4)
    expected = linear @ covariances(cloud) @ linear.T
    assert np.allclose(covariances(written), expected, atol=1e-5 * np.abs(expected).max())
    for direction in np.eye(3):
        before = np.linalg.inv(linear) @ direction
        before = np.broadcast_to(before / np.linalg.norm(before), (len(cloud), 3))
        after = np.broadcast_to(direction, (len(cloud), 3))
        old = colors(cloud.sh, before.astype(np.float32))
        new = colors(written.sh, after.astype(np.float32))
        assert np.abs(old - new).max() < 1e-4


def test_uneven_scale_and_parent_are_applied(blender, obj, tmp_path):
    parent = blender.data.objects.new("parent", None)
    blender.context.collection.objects.link(parent)
    obj.parent = parent
    parent.scale, parent.rotation_euler = (1.0, 2.0, 0.5), (0.3, 0.2, 0.1)
    matrix = place(blender, obj)
    written = export(blender, tmp_path)
    cloud = file_of_object(obj).cloud(3)
    expected = matrix[:3, :3] @ covariances(cloud) @ matrix[:3, :3].T
    assert np.allclose(covariances(written), expected, atol=1e-5 * np.abs(expected).max())


def test_minus_y_up_undoes_the_turn_of_an_import(blender, tmp_path):
    blender.ops.import_scene.pcgs(filepath=str(TRAINED), up_axis="NEGATIVE_Y")
    cloud = file_of_object(blender.context.object).cloud(3)
    written = export(blender, tmp_path, up_axis="NEGATIVE_Y")
    assert np.allclose(written.means, cloud.means, atol=1e-5)
    assert np.allclose(written.sh, cloud.sh, atol=1e-5)


def test_written_file_can_be_imported(blender, obj, tmp_path):
    export(blender, tmp_path)
    blender.ops.import_scene.pcgs(filepath=str(tmp_path / "out.ply"))
    found = blender.context.object
    assert (found.name, found.pcgs.levels) == ("out", 1)
    assert len(file_of_object(found).cloud(1)) == len(file_of_object(obj).cloud(3))


def test_flattened_object_is_told(blender, obj, tmp_path):
    obj.scale = (1.0, 0.0, 1.0)
    blender.context.view_layer.update()
    with pytest.raises(RuntimeError, match="flattens"):
        blender.ops.export_scene.pcgs_ply(filepath=str(tmp_path / "out.ply"))


def test_level_that_cannot_be_decoded_is_told(blender, tmp_path):
    path = tmp_path / "corrupt.pcgs"
    path.write_bytes(flipped(TRAINED.read_bytes(), level_end(TRAINED, 1) + 40))
    blender.ops.import_scene.pcgs(filepath=str(path))
    with pytest.raises(RuntimeError, match="Level 3 is not ready"):
        blender.ops.export_scene.pcgs_ply(filepath=str(tmp_path / "out.ply"), level=3)
    written = export(blender, tmp_path, level=1)
    assert len(written) == 2400


def test_unwritable_place_is_told(blender, obj, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RuntimeError, match="cannot write"):
        blender.ops.export_scene.pcgs_ply(filepath=str(tmp_path / "file" / "out.ply"))


def test_object_without_a_decoded_level_says_so(blender, tmp_path):
    path = tmp_path / "begun.pcgs"
    path.write_bytes(TRAINED.read_bytes()[:200])
    blender.ops.import_scene.pcgs(filepath=str(path))
    with pytest.raises(RuntimeError, match="No level of the file is decoded"):
        blender.ops.export_scene.pcgs_ply(filepath=str(tmp_path / "out.ply"))
