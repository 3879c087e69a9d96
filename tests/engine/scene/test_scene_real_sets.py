"""Real image sets beside the checkout."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from pcgs_engine.scene import Scene
from pcgs_engine.scene.colmap_scene import read_colmap
from pcgs_engine.scene.image_store import ImageStore
from pcgs_engine.scene.load_scene import load_scene
from pcgs_engine.scene.transforms_scene import read_transforms

pytestmark = pytest.mark.data
BLACK = (0.0, 0.0, 0.0)


def file_names(views) -> list[str]:
    return [view.image_path.name for view in views]


def color_difference(scene: Scene, pick: int, shift=(0.0, 0.0)) -> float:
    """Mean absolute difference between point colours and the pixels they project to."""
    view = scene.train_views[pick]
    camera = view.camera
    local = scene.points @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]
    pixels = local[:, :2] / local[:, 2:] * (camera.fx, camera.fy) + (camera.cx, camera.cy) + shift
    columns, rows = np.floor(pixels).astype(int).T
    seen = (local[:, 2] > 0) & (columns >= 0) & (rows >= 0)
    seen &= (columns < camera.width) & (rows < camera.height)
    rgb = ImageStore(scene.background).load(view).rgb[rows[seen], columns[seen]]
    return float(np.abs(rgb.astype(float) - scene.point_colors[seen]).mean())


def mean_difference(scene: Scene, shift: tuple[float, float]) -> float:
    return float(np.mean([color_difference(scene, pick, shift) for pick in (0, 10, 20, 30)]))


def test_fox_transforms_and_colmap_agree(shared_data):
    folder = shared_data / "fox"
    by_json = {image.image_path: image for image in read_transforms(folder).train}
    colmap = read_colmap(folder, folder / "sparse" / "0")
    text = read_colmap(folder, folder / "sparse_txt" / "0")
    assert len(colmap.train) == len(text.train) == len(by_json) == 50
    for image in (*colmap.train, *text.train):
        other = by_json[image.image_path]
        np.testing.assert_allclose(image.world_to_camera, other.world_to_camera, atol=1e-5)
        np.testing.assert_allclose(
            dataclasses.astuple(image.lens)[:6], dataclasses.astuple(other.lens)[:6], rtol=1e-5
        )
    assert colmap.points.shape == (8820, 3)
    assert text.points.shape == (2000, 3)


@pytest.mark.parametrize(
    ("name", "train", "points"),
    [
        ("fox", 43, 8820),
        ("fox_distorted", 43, 8820),
        ("bonsai", 127, 18350),
        ("south_building", 112, 14788),
        ("gold_cape", 51, 7008),
        ("lego_synthetic", 40, 10232),
    ],
)
def test_real_set_points_project_onto_their_colors(shared_data, name, train, points):
    scene = load_scene(shared_data / name)
    assert len(scene.train_views) == train
    assert scene.points.shape == scene.point_colors.shape == (points, 3)
    # Occluded points are counted too, so what tells is that every shift by 2 px makes it worse.
    here = mean_difference(scene, (0.0, 0.0))
    for shift in ((2.0, 0.0), (-2.0, 0.0), (0.0, 2.0), (0.0, -2.0)):
        assert mean_difference(scene, shift) > here + 0.5


@pytest.mark.parametrize("name", ["fox", "bonsai", "south_building", "gold_cape"])
def test_real_set_hold_out_is_the_published_split(shared_data, name):
    scene = load_scene(shared_data / name)
    split = json.loads((shared_data / name / "split.json").read_text())
    assert file_names(scene.test_views) == split["holdout"]
    assert file_names(scene.train_views) == split["train"]


def test_lego_split_files_and_alpha_are_used(shared_data):
    scene = load_scene(shared_data / "lego_synthetic", background=(1.0, 1.0, 1.0), max_size=200)
    assert len(scene.test_views) == 10
    assert scene.train_views[0].camera.fx == pytest.approx(100 / np.tan(0.6911112070083618 / 2))
    image = ImageStore(scene.background).load(scene.train_views[0])
    assert image.alpha is not None
    assert (image.rgb[image.alpha == 0] == 255).all()
    assert 0.05 < (image.alpha > 128).mean() < 0.6


def test_fox_distorted_undistorted_image_matches_fox(shared_data):
    plain = load_scene(shared_data / "fox")
    distorted = load_scene(shared_data / "fox_distorted")
    store = ImageStore(BLACK)
    with_model, without_model = [], []
    for pick in (0, 15, 30):
        reference, view = plain.train_views[pick], distorted.train_views[pick]
        assert reference.image_path.name == view.image_path.name
        image = store.load(view)
        raw = ImageStore(BLACK).load(dataclasses.replace(view, distortion=None))
        assert image.valid is not None
        # `fox` has another pinhole (centred principal point): compare through its pixels' rays.
        target = reference.camera
        columns = (np.arange(target.width) + 0.5 - target.cx) / target.fx
        rows = (np.arange(target.height) + 0.5 - target.cy) / target.fy
        x = np.floor(columns * view.camera.fx + view.camera.cx).astype(int)
        y = np.floor(rows * view.camera.fy + view.camera.cy).astype(int)
        x, y = np.clip(x, 0, view.camera.width - 1), np.clip(y, 0, view.camera.height - 1)
        grid = np.ix_(y, x)
        wanted = store.load(reference).rgb.astype(float)
        valid = image.valid[grid]
        with_model.append(np.abs(image.rgb[grid] - wanted)[valid].mean())
        without_model.append(np.abs(raw.rgb[grid] - wanted)[valid].mean())
    assert np.mean(with_model) < 6
    assert np.mean(with_model) < 0.7 * np.mean(without_model)


@pytest.mark.slow
def test_lego_without_points_triangulates_them_near_the_model(shared_data, tmp_path):
    source = shared_data / "lego_synthetic"
    shutil.copytree(source, tmp_path / "lego", ignore=shutil.ignore_patterns("*.ply"))
    scene = load_scene(tmp_path / "lego")
    known = load_scene(source).points
    assert len(scene.points) >= 500
    # Half of the points lie within 1 % of the model's size of a known point.
    sample = scene.points[:: max(1, len(scene.points) // 500)]
    nearest = np.linalg.norm(sample[:, None] - known[None], axis=2).min(axis=1)
    assert np.median(nearest) < 0.025
