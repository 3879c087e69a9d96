"""Points for sets that have none."""

import json

import numpy as np
import pytest
from PIL import Image
from scene_samples import look_at_origin, write_transforms

from pcgs_engine.scene import Camera
from pcgs_engine.scene.feature_points import triangulate_pair
from pcgs_engine.scene.load_scene import load_scene
from pcgs_engine.scene.pose import camera_from_opengl
from pcgs_engine.scene.seed_points import RANDOM_POINTS, random_box


def camera(matrix: np.ndarray, size=200, focal=220.0) -> Camera:
    return Camera(
        width=size,
        height=size,
        fx=focal,
        fy=focal,
        cx=size / 2,
        cy=size / 2,
        world_to_camera=camera_from_opengl(matrix.tolist(), "test"),
    )


def project(view: Camera, points: np.ndarray) -> np.ndarray:
    local = points @ view.world_to_camera[:3, :3].T + view.world_to_camera[:3, 3]
    return local[:, :2] / local[:, 2:] * (view.fx, view.fy) + (view.cx, view.cy)


def plane_picture(view: Camera, texture: np.ndarray) -> np.ndarray:
    """Picture of the textured plane z = 0, |x|, |y| <= 2; grey elsewhere."""
    rows, columns = np.mgrid[: view.height, : view.width] + 0.5
    local = np.stack([(columns - view.cx) / view.fx, (rows - view.cy) / view.fy, 1 + 0 * rows], -1)
    rays = local @ view.world_to_camera[:3, :3]
    hit = view.centre + rays * (-view.centre[2] / rays[..., 2])[..., None]
    cells = np.floor((hit[..., :2] + 2) / 4 * len(texture)).astype(int)
    inside = ((cells >= 0) & (cells < len(texture))).all(axis=-1) & (rays[..., 2] < 0)
    cells = np.clip(cells, 0, len(texture) - 1)
    return np.where(inside[..., None], texture[cells[..., 0], cells[..., 1]], 128).astype(np.uint8)


def test_triangulate_pair_exact_pixels_give_the_points_back():
    first, second = camera(look_at_origin(0.0)), camera(look_at_origin(0.3))
    points = np.random.default_rng(0).uniform(-1, 1, (50, 3))
    found, good = triangulate_pair(first, second, project(first, points), project(second, points))
    assert good.all()
    np.testing.assert_allclose(found, points, atol=1e-6)


def test_triangulate_pair_wrong_matches_are_rejected():
    first, second = camera(look_at_origin(0.0)), camera(look_at_origin(0.3))
    points = np.random.default_rng(0).uniform(-1, 1, (200, 3))
    _, good = triangulate_pair(first, second, project(first, points), project(second, points)[::-1])
    # A wrong match passes only where it lies within 2 px of the epipolar line by chance.
    assert good.mean() < 0.15


def test_triangulate_pair_no_matches_gives_no_points():
    view = camera(look_at_origin(0.0))
    points, good = triangulate_pair(view, view, np.zeros((0, 2)), np.zeros((0, 2)))
    assert (points.shape, good.shape) == ((0, 3), (0,))


def test_load_scene_without_points_triangulates_textured_plane(tmp_path):
    texture = np.random.default_rng(1).integers(0, 256, (60, 60, 3))
    path = write_transforms(tmp_path, 6, points=False, camera_angle_x=2 * np.arctan(100 / 220))
    data = json.loads(path.read_text())
    for key in ("fl_x", "fl_y", "cx", "cy", "w", "h"):
        del data[key]
    for index, entry in enumerate(data["frames"]):
        matrix = look_at_origin(0.15 * index, radius=2.0, height=3.5)
        entry["transform_matrix"] = matrix.tolist()
        picture = plane_picture(camera(matrix), texture)
        Image.fromarray(picture).save(tmp_path / entry["file_path"])
    path.write_text(json.dumps(data))
    scene = load_scene(tmp_path)
    assert "triangulated from image features" in scene.warnings[-1]
    assert len(scene.points) >= 500
    # One pixel is 0.02 units across and, at 5 degrees between neighbours, 0.2 units in depth.
    assert (np.abs(scene.points[:, 2]) < 0.2).mean() > 0.9
    assert (np.abs(scene.points[:, :2]) < 2.1).mean() > 0.95
    cells = np.clip(np.floor((scene.points[:, :2] + 2) * 15), 0, 59).astype(int)
    off = np.abs(scene.point_colors - texture[cells[:, 0], cells[:, 1]].astype(float))
    assert np.median(off) < 20  # against 85 for unrelated random colours


def test_load_scene_without_points_and_features_fills_box_at_random(tmp_path):
    write_transforms(tmp_path, 6, points=False)
    scene = load_scene(tmp_path, seed=5)
    half = 0.33 * np.sqrt(17)
    assert scene.points.shape == (RANDOM_POINTS, 3)
    assert np.abs(scene.points).max() <= half + 1e-5
    assert np.abs(scene.points).max() > 0.99 * half
    assert "20000 are random in a box" in scene.warnings[-1]
    np.testing.assert_array_equal(load_scene(tmp_path, seed=5).points, scene.points)
    assert not np.array_equal(load_scene(tmp_path, seed=6).points, scene.points)


def test_random_box_inward_cameras_is_nerf_synthetic_size():
    shift = np.array([10.0, -3.0, 2.0])
    cameras = []
    for angle in np.linspace(0, 6, 8):
        matrix = look_at_origin(float(angle), radius=4.0, height=0.5)
        matrix[:3, 3] += shift
        cameras.append(camera(matrix))
    centre, half = random_box(cameras)
    np.testing.assert_allclose(centre, shift, atol=1e-9)
    assert half == pytest.approx(0.33 * np.sqrt(16.25))


def test_random_box_parallel_cameras_lies_in_front():
    cameras = []
    for offset in (-1.0, 0.0, 1.0):
        matrix = np.eye(4)  # looks along -z
        matrix[0, 3] = offset
        cameras.append(camera(matrix))
    centre, half = random_box(cameras)
    assert centre[2] < 0
    assert half == pytest.approx(2.0)


def test_random_box_outward_cameras_surrounds_them():
    cameras = []
    for angle in np.linspace(0, 6, 8):
        matrix = look_at_origin(float(angle), radius=1.0, height=0.0)
        matrix[:3, [0, 2]] *= -1  # turn by 180 degrees about the camera's y
        cameras.append(camera(matrix))
    centre, half = random_box(cameras)
    centres = np.stack([view.centre for view in cameras])
    assert (np.abs(centres - centre) < half).all()
