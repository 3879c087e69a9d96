"""Looking at an image folder: what is found, what is told, cameras and points as objects."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from mathutils import Vector

from addon.engine.registry import engine_registry
from pcgs_engine.sample import sample_path


@pytest.fixture
def sample_scan(engine, blender):
    blender.ops.pcgs.use_sample()
    assert blender.ops.pcgs.scan_images() == {"FINISHED"}
    return engine_registry.scan


def write_colmap_scene(folder):
    """Two views of a COLMAP model with an off-centre principal point, and three points."""
    from_sample = sorted((sample_path() / "images").iterdir())[:2]
    (folder / "images").mkdir(parents=True)
    for index, image in enumerate(from_sample):
        shutil.copy(image, folder / "images" / f"{index}{image.suffix}")
    suffix = from_sample[0].suffix
    width, height = image_size(from_sample[0])
    model = folder / "sparse" / "0"
    model.mkdir(parents=True)
    camera = f"1 PINHOLE {width} {height} 100 100 {width / 2 + 7} {height / 2 - 5}\n"
    (model / "cameras.txt").write_text(camera)
    first = f"1 1 0 0 0 0 0 0 1 0{suffix}\n\n"
    second = f"2 0.9234 0.1026 -0.2052 0.3078 0.4 -0.1 0.2 1 1{suffix}\n\n"
    (model / "images.txt").write_text(first + second)
    points = "1 0.3 0.2 2 255 0 0 0.1\n2 -0.4 0.1 3 0 255 0 0.1\n3 0 0 4 0 0 255 0.1\n"
    (model / "points3D.txt").write_text(points)


def image_size(path):
    import bpy

    image = bpy.data.images.load(str(path))
    size = tuple(image.size)
    bpy.data.images.remove(image)
    return size


def projected(bpy, obj, view, point):
    """Pixel of a world point through a Blender camera rendering at the view's size."""
    from bpy_extras.object_utils import world_to_camera_view

    render = bpy.context.scene.render
    render.resolution_x, render.resolution_y = view.width, view.height
    render.resolution_percentage = 100
    bpy.context.view_layer.update()
    at = world_to_camera_view(bpy.context.scene, obj, Vector(point))
    return np.array([at.x * view.width, (1.0 - at.y) * view.height])


def expected_pixel(view, point):
    x, y, z = (view.world_to_camera @ [*point, 1.0])[:3]
    assert z > 0
    return np.array([view.fx * x / z + view.cx, view.fy * y / z + view.cy])


def test_scan_sample_finds_images_cameras_points(sample_scan):
    assert sample_scan.kind == "transforms"
    assert (sample_scan.train_views, sample_scan.test_views) == (42, 6)
    assert sample_scan.points.shape == (4000, 3)
    assert all(view.image.is_file() for view in sample_scan.views)
    assert sample_scan.warnings == ()


def test_scan_folder_without_cameras_tells_what_is_wanted(engine, blender, tmp_path, capfd):
    (tmp_path / "holiday.jpg").write_bytes(b"no image")
    blender.context.scene.pcgs.image_folder = str(tmp_path)
    assert blender.ops.pcgs.scan_images() == {"CANCELLED"}
    told = engine_registry.scan_error
    assert "transforms.json" in told
    assert "holiday.jpg" in told
    assert told in capfd.readouterr().out
    assert not blender.ops.pcgs.train.poll()


def test_scan_missing_folder_is_told(engine, blender, tmp_path):
    blender.context.scene.pcgs.image_folder = str(tmp_path / "gone")
    assert blender.ops.pcgs.scan_images() == {"CANCELLED"}
    assert "does not exist" in engine_registry.scan_error


def test_scan_damaged_camera_file_is_told(engine, blender, tmp_path):
    (tmp_path / "transforms.json").write_text("{ this is no JSON")
    blender.context.scene.pcgs.image_folder = str(tmp_path)
    assert blender.ops.pcgs.scan_images() == {"CANCELLED"}
    assert "transforms.json" in engine_registry.scan_error


def test_scan_missing_images_give_warnings(engine, blender, tmp_path):
    scene = tmp_path / "scene"
    shutil.copytree(sample_path(), scene, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    data = json.loads((scene / "transforms.json").read_text())
    gone = scene / data["frames"][3]["file_path"]
    gone.unlink()
    blender.context.scene.pcgs.image_folder = str(scene)
    assert blender.ops.pcgs.scan_images() == {"FINISHED"}
    assert any(Path(gone).name in text for text in engine_registry.scan.warnings)


def test_scan_without_engine_says_what_is_needed(preferences, blender):
    preferences.engine_python = "/nowhere/python"
    blender.ops.pcgs.use_sample()
    assert blender.ops.pcgs.scan_images() == {"CANCELLED"}
    assert "/nowhere/python does not exist" in engine_registry.scan_error


def test_scan_is_forgotten_when_folder_changes(sample_scan, blender, tmp_path):
    blender.context.scene.pcgs.image_folder = str(tmp_path)
    assert engine_registry.scan is None


def test_cameras_of_sample_project_points_as_the_engine_does(sample_scan, blender):
    assert blender.ops.pcgs.show_cameras() == {"FINISHED"}
    collection = blender.data.collections["sample cameras"]
    cameras = [obj for obj in collection.objects if obj.type == "CAMERA"]
    assert len(cameras) == 48
    for view, obj in list(zip(sample_scan.views, cameras, strict=True))[::7]:
        seen = [p for p in sample_scan.points[::50] if (view.world_to_camera @ [*p, 1.0])[2] > 0.5]
        for point in seen[:5]:
            pixel = projected(blender, obj, view, point)
            np.testing.assert_allclose(pixel, expected_pixel(view, point), atol=0.01)


def test_cameras_have_their_image_as_background(sample_scan, blender):
    blender.ops.pcgs.show_cameras()
    camera = blender.data.collections["sample cameras"].objects[0].data
    image = camera.background_images[0].image
    assert Path(blender.path.abspath(image.filepath)) == sample_scan.views[0].image
    assert camera.show_background_images


def test_cameras_of_colmap_scene_stand_upright_and_keep_shift(engine, blender, tmp_path):
    write_colmap_scene(tmp_path / "chair")
    blender.context.scene.pcgs.image_folder = str(tmp_path / "chair")
    assert blender.ops.pcgs.scan_images() == {"FINISHED"}
    scan = engine_registry.scan
    assert scan.kind == "colmap"
    blender.ops.pcgs.show_cameras()
    blender.context.view_layer.update()
    world = blender.data.objects["chair points"].matrix_world
    # The world's -y is up.
    up = world.to_3x3() @ Vector((0, -1, 0))
    np.testing.assert_allclose(up, (0, 0, 1), atol=1e-6)
    for view in scan.views:
        obj = blender.data.objects[view.image.stem]
        for point in scan.points:
            pixel = projected(blender, obj, view, world @ Vector(point))
            np.testing.assert_allclose(pixel, expected_pixel(view, point), atol=0.01)


def test_points_are_a_mesh_with_their_colors(sample_scan, blender):
    blender.ops.pcgs.show_cameras()
    mesh = blender.data.objects["sample points"].data
    positions = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", positions)
    np.testing.assert_array_equal(positions.reshape(-1, 3), sample_scan.points)
    shown = np.empty(len(mesh.vertices) * 4, np.float32)
    mesh.color_attributes["Color"].data.foreach_get("color_srgb", shown)
    wanted = sample_scan.point_colors / 255.0
    np.testing.assert_allclose(shown.reshape(-1, 4)[:, :3], wanted, atol=0.003)


def test_cameras_are_undone_in_one_step(sample_scan, blender):
    blender.ops.ed.undo_push(message="before")
    blender.ops.pcgs.show_cameras()
    blender.ops.ed.undo_push(message="Show Cameras")
    blender.ops.ed.undo()
    assert "sample cameras" not in blender.data.collections
    assert not blender.data.cameras
