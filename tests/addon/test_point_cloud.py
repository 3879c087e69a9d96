"""Make Point Cloud: a level as a point cloud of Blender's own, with the attributes of its splats.

Where Blender has no splat kind of its own (before 5.3) `PointCloud` gets a property like it for
some tests: all then goes as it would there, except that nothing draws the result.
"""

import types

import bpy
import numpy as np
import pytest
from bpy.props import EnumProperty, StringProperty
from sample_files import TRAINED, flipped, level_end

from addon.objects import file_of_object, visible_instances
from addon.objects.point_cloud import (
    can_make_point_clouds,
    make_point_cloud,
    presentable,
    splat_kind,
)
from pcgs_engine.splats import SplatCloud

CAN_FILL = "resize" in bpy.types.PointCloud.bl_rna.functions
needs_resize = pytest.mark.skipif(
    not CAN_FILL, reason="this Blender's point clouds cannot be filled by scripts"
)
FIELDS = {"FLOAT_VECTOR": ("vector", 3), "FLOAT4": ("vector", 4), "QUATERNION": ("value", 4)}
DOCUMENTED = {
    "position": "FLOAT_VECTOR",
    "scale": "FLOAT_VECTOR",
    "rotation": "QUATERNION",
    "radiance:base": "FLOAT4",
}


@pytest.fixture
def obj(blender):
    blender.ops.import_scene.pcgs(filepath=str(TRAINED))
    return blender.context.object


@pytest.fixture
def point_cloud_type():
    """Gives `PointCloud` a property `type`."""
    if "type" in bpy.types.PointCloud.bl_rna.properties:
        pytest.skip("this Blender's point clouds have it")

    def declare(prop):
        bpy.types.PointCloud.type = prop

    yield declare
    del bpy.types.PointCloud.type


def kinds(*names):
    return EnumProperty(items=[(name, name.title(), "") for name in names])


def some_cloud(degree, count=50):
    rng = np.random.default_rng(degree)
    quats = rng.normal(size=(count, 4)).astype(np.float32)
    return SplatCloud(
        means=rng.normal(size=(count, 3)).astype(np.float32),
        scales=rng.uniform(0.01, 0.1, (count, 3)).astype(np.float32),
        quats=quats / np.linalg.norm(quats, axis=1, keepdims=True),
        opacities=rng.uniform(0.1, 1.0, count).astype(np.float32),
        sh=rng.normal(size=(count, (degree + 1) ** 2, 3)).astype(np.float32),
    )


def values(data, name):
    attribute = data.attributes[name]
    field, width = FIELDS[attribute.data_type]
    found = np.empty(len(attribute.data) * width, np.float32)
    attribute.data.foreach_get(field, found)
    return found.reshape(-1, width)


def assert_holds(data, cloud):
    assert len(data.points) == len(cloud)
    assert np.array_equal(values(data, "position"), cloud.means)
    assert np.array_equal(values(data, "scale"), cloud.scales)
    assert np.array_equal(values(data, "rotation"), cloud.quats)
    assert np.array_equal(values(data, "radiance:base")[:, :3], cloud.sh[:, 0])
    assert np.array_equal(values(data, "radiance:base")[:, 3], cloud.opacities)
    for index in range(cloud.sh.shape[1] - 1):
        assert np.array_equal(values(data, f"radiance:sh_{index}"), cloud.sh[:, index + 1])


def made_from(blender, source):
    blender.context.view_layer.objects.active = source
    assert blender.ops.pcgs.make_point_cloud() == {"FINISHED"}
    return blender.context.object


@needs_resize
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_attributes_are_the_documented_ones(blender, degree):
    cloud = some_cloud(degree)
    data = make_point_cloud("splats", cloud)
    higher = {f"radiance:sh_{index}": "FLOAT_VECTOR" for index in range((degree + 1) ** 2 - 1)}
    found = {attribute.name: attribute.data_type for attribute in data.attributes}
    assert found == DOCUMENTED | higher
    assert {attribute.domain for attribute in data.attributes} == {"POINT"}
    assert_holds(data, cloud)


@needs_resize
def test_no_splats_make_an_empty_point_cloud(blender):
    assert_holds(make_point_cloud("none", some_cloud(1, count=0)), some_cloud(1, count=0))


def test_splats_that_would_spoil_the_others_are_left_out():
    cloud = some_cloud(2, count=6)
    cloud.means[0, 1] = np.inf
    cloud.sh[1, 3, 2] = np.nan
    cloud.opacities[2] = 0.0
    cloud.scales[3] = 0.0
    cloud.scales[4] = (0.0, 0.5, 1e-9)
    found = presentable(cloud)
    assert np.array_equal(found.means, cloud.means[4:])
    assert np.allclose(found.scales[0], (5e-4, 0.5, 5e-4))
    assert np.array_equal(found.scales[1], cloud.scales[5])
    assert np.array_equal(found.sh, cloud.sh[4:])


@needs_resize
@pytest.mark.parametrize("level", [1, 2, 3])
def test_shown_level_is_taken_and_selected(blender, obj, level):
    obj.pcgs.level = level
    made = made_from(blender, obj)
    assert made.type == "POINTCLOUD"
    assert made.name == f"{obj.name} level {level}"
    assert (made.select_get(), obj.select_get()) == (True, False)
    assert_holds(made.data, presentable(file_of_object(obj).cloud(level)))


@needs_resize
def test_it_stands_where_the_splats_do(blender, obj):
    parent = blender.data.objects.new("parent", None)
    blender.context.collection.objects.link(parent)
    parent.scale, parent.rotation_euler = (1.0, 2.0, 0.5), (0.3, 0.2, 0.1)
    obj.parent = parent
    obj.location, obj.rotation_euler, obj.scale = (1.0, -2.0, 3.0), (0.4, -0.7, 1.1), (2.0,) * 3
    obj.delta_location = (0.0, 0.0, 1.0)
    blender.context.view_layer.update()
    made = made_from(blender, obj)
    blender.context.view_layer.update()
    assert made.parent == parent
    assert np.allclose(made.matrix_world, obj.matrix_world, atol=1e-5)
    parent.location = (5.0, 0.0, 0.0)
    blender.context.view_layer.update()
    assert np.allclose(made.matrix_world, obj.matrix_world, atol=1e-5)


@needs_resize
def test_geometry_nodes_see_the_splats(blender, obj):
    made = made_from(blender, obj)
    blender.context.view_layer.update()
    evaluated = made.evaluated_get(blender.context.evaluated_depsgraph_get())
    low, high = np.array(evaluated.bound_box).min(0), np.array(evaluated.bound_box).max(0)
    means = values(made.data, "position")
    assert (low <= means.min(0) + 1e-5).all()
    assert (high >= means.max(0) - 1e-5).all()
    assert np.array_equal(
        values(evaluated.data, "radiance:base"), values(made.data, "radiance:base")
    )


@needs_resize
def test_undo_takes_it_away_and_redo_brings_it_back(blender, obj):
    name = obj.name
    blender.ops.ed.undo_push(message="import")
    made_from(blender, obj)
    blender.ops.ed.undo_push(message="point cloud")
    blender.ops.ed.undo()
    assert not blender.data.pointclouds
    assert [other.type for other in blender.data.objects if other.name.startswith(name)] == ["MESH"]
    blender.ops.ed.redo()
    (data,) = blender.data.pointclouds
    source = blender.data.objects[name]
    assert file_of_object(source).wait(level=3, seconds=30)
    assert_holds(data, presentable(file_of_object(source).cloud(3)))


@needs_resize
def test_splats_stay_shown_where_blender_draws_points_only(blender, obj):
    if splat_kind() is not None:
        pytest.skip("this Blender draws splats")
    made_from(blender, obj)
    assert len(visible_instances(blender.context, for_render=False)) == 1
    assert not obj.hide_render


@needs_resize
def test_splats_are_hidden_where_blender_draws_them_itself(blender, obj, point_cloud_type):
    point_cloud_type(kinds("POINT", "GAUSSIAN_SPLAT"))
    made = made_from(blender, obj)
    assert made.data.type == "GAUSSIAN_SPLAT"
    blender.context.view_layer.update()
    assert visible_instances(blender.context, for_render=False) == []
    assert obj.hide_render
    assert made.visible_get()
    assert not made.hide_render
    obj.hide_set(False)
    assert len(visible_instances(blender.context, for_render=False)) == 1


@needs_resize
def test_undo_shows_the_splats_again(blender, obj, point_cloud_type):
    point_cloud_type(kinds("POINT", "GAUSSIAN_SPLAT"))
    name = obj.name
    blender.ops.ed.undo_push(message="import")
    made_from(blender, obj)
    blender.ops.ed.undo_push(message="point cloud")
    blender.ops.ed.undo()
    source = blender.data.objects[name]
    assert source.visible_get()
    assert not source.hide_render


@needs_resize
def test_level_0_is_told(blender, obj):
    obj.pcgs.level = 0
    with pytest.raises(RuntimeError, match="choose a higher Level"):
        blender.ops.pcgs.make_point_cloud()
    assert not blender.data.pointclouds


@needs_resize
def test_level_that_cannot_be_decoded_is_told(blender, tmp_path):
    path = tmp_path / "corrupt.pcgs"
    path.write_bytes(flipped(TRAINED.read_bytes(), level_end(TRAINED, 1) + 40))
    blender.ops.import_scene.pcgs(filepath=str(path))
    with pytest.raises(RuntimeError, match=r"Level 3 is not ready.*take level 1"):
        blender.ops.pcgs.make_point_cloud()
    assert not blender.data.pointclouds


@needs_resize
def test_other_objects_are_refused(blender):
    blender.ops.mesh.primitive_cube_add()
    with pytest.raises(RuntimeError, match="Select an object that shows splats"):
        blender.ops.pcgs.make_point_cloud()


@pytest.mark.skipif(CAN_FILL, reason="it works in this Blender")
def test_older_blender_says_what_it_needs(blender, obj):
    with pytest.raises(RuntimeError, match=r"Needs Blender 5\.2 or newer"):
        blender.ops.pcgs.make_point_cloud()


def test_panel_offers_it_where_it_works(blender):
    from addon.panels.object_panel import _draw_copies

    drawn = []
    column = types.SimpleNamespace(operator=lambda name, **_: drawn.append(name))
    _draw_copies(types.SimpleNamespace(column=lambda **_: column))
    assert ("pcgs.make_point_cloud" in drawn) == CAN_FILL


def test_it_is_known_which_versions_can(blender):
    if bpy.app.version >= (5, 2):
        assert can_make_point_clouds()
    if bpy.app.version < (5, 0):
        assert not can_make_point_clouds()


@pytest.mark.parametrize(
    ("prop", "kind"),
    [
        (kinds("POINT", "GAUSSIAN_SPLAT"), "GAUSSIAN_SPLAT"),
        (kinds("POINT", "VOXEL"), None),
        (StringProperty(), None),
    ],
)
def test_splat_kind_is_found_by_looking(point_cloud_type, prop, kind):
    assert splat_kind() is None
    point_cloud_type(prop)
    assert splat_kind() == kind
