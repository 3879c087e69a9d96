"""The embedded sample: complete, consistent, small; its points lie where the pictures show them."""

import numpy as np
import pytest

from pcgs_engine.sample import sample_path

Image = pytest.importorskip("PIL.Image")


@pytest.fixture(scope="module")
def scene():
    pytest.importorskip("cv2")  # part of the train extra, like Pillow
    from pcgs_engine.scene.load_scene import load_scene

    return load_scene(sample_path(), max_size=1600)


def pixels_of(view):
    with Image.open(view.image_path) as picture:
        return np.asarray(picture.convert("RGB")).astype(np.float64)


def project(camera, points):
    """Pixel row, column and index of the points in front: the nearest in each cell of 12 pixels."""
    local = points @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]
    depth = np.maximum(local[:, 2], 1e-6)
    x = camera.fx * local[:, 0] / depth + camera.cx
    y = camera.fy * local[:, 1] / depth + camera.cy
    inside = (local[:, 2] > 0.1) & (x >= 0) & (x < camera.width) & (y >= 0) & (y < camera.height)
    order = np.nonzero(inside)[0]
    order = order[np.argsort(depth[order])]
    _, first = np.unique(y[order] // 12 * 1000 + x[order] // 12, return_index=True)
    front = order[first]
    return y[front].astype(int), x[front].astype(int), front


def test_sample_is_small_and_says_its_licence():
    folder = sample_path()
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.suffix != ".pyc"]
    assert sum(sizes) < 1_000_000
    assert "CC0" in (folder / "README.md").read_text(encoding="utf-8")


def test_sample_loads_without_a_warning(scene):
    assert (len(scene.train_views), len(scene.test_views)) == (42, 6)
    assert scene.warnings == ()
    assert len(scene.points) == 4_000
    for view in (*scene.train_views, *scene.test_views):
        assert view.distortion is None
        assert pixels_of(view).shape == (180, 240, 3) == (view.camera.height, view.camera.width, 3)


def test_sample_held_out_views_look_from_different_sides(scene):
    centres = np.stack([view.camera.centre for view in scene.test_views])
    gaps = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    assert gaps[~np.eye(6, dtype=bool)].min() > 0.8
    assert len({round(float(z), 3) for z in centres[:, 2]}) == 3


@pytest.mark.parametrize("index", [0, 13, 29, 41])
def test_sample_points_have_the_colours_of_the_pixels_they_project_to(scene, index):
    view = scene.train_views[index]
    picture = pixels_of(view)
    row, column, front = project(view.camera, scene.points.astype(np.float64))
    assert len(front) > 150
    colors = scene.point_colors[front].astype(np.float64)
    error = np.abs(picture[row, column] - colors).mean(axis=1)
    elsewhere = np.abs(picture[row, (column + 24) % 240] - colors).mean(axis=1)
    assert np.median(error) < 8
    assert np.median(error) < 0.4 * np.median(elsewhere)
