"""load_scene: folders, hold-out, sizes, masks and image files that do not fit."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scene_samples import write_colmap, write_image, write_transforms

from pcgs_engine.errors import ConfigError, SceneError
from pcgs_engine.scene.load_scene import load_scene


def test_load_scene_missing_folder_is_named(tmp_path):
    with pytest.raises(SceneError, match="nowhere: does not exist"):
        load_scene(tmp_path / "nowhere")


def test_load_scene_file_instead_of_folder_is_refused(tmp_path):
    with pytest.raises(SceneError, match="is a file, wanted a scene folder"):
        load_scene(write_image(tmp_path / "a.png"))


def test_load_scene_other_folder_lists_what_is_there_and_what_is_wanted(tmp_path):
    write_image(tmp_path / "photo.png")
    with pytest.raises(SceneError, match=r"holds: photo.png.*transforms.json.*sparse/0"):
        load_scene(tmp_path)


def test_load_scene_empty_folder_says_nothing_is_there(tmp_path):
    with pytest.raises(SceneError, match="folder holds: nothing"):
        load_scene(tmp_path)


@pytest.mark.parametrize(
    "options",
    [{"max_size": 0}, {"holdout": 1}, {"holdout": -8}, {"background": (0.0, 0.0, 2.0)}],
)
def test_load_scene_bad_argument_is_config_error(tmp_path, options):
    write_colmap(tmp_path, 2)
    with pytest.raises(ConfigError, match=next(iter(options))):
        load_scene(tmp_path, **options)


@pytest.mark.parametrize(("holdout", "held_out"), [(0, []), (3, [0, 3, 6]), (8, [0, 8])])
def test_load_scene_holdout_takes_every_nth_by_name(tmp_path, holdout, held_out):
    write_colmap(tmp_path, 9)
    scene = load_scene(tmp_path, holdout=holdout)
    assert [view.name for view in scene.test_views] == [f"images/img_{i}.png" for i in held_out]
    assert len(scene.train_views) == 9 - len(held_out)


def test_load_scene_single_image_is_trained_on_with_warning(tmp_path):
    write_colmap(tmp_path, 1)
    scene = load_scene(tmp_path)
    assert (len(scene.train_views), len(scene.test_views)) == (1, 0)
    assert any("one image only" in warning for warning in scene.warnings)


@pytest.mark.parametrize(
    ("max_size", "wanted"), [(64, (32, 24)), (32, (32, 24)), (16, (16, 12)), (10, (10, 8))]
)
def test_load_scene_max_size_shrinks_longer_side(tmp_path, max_size, wanted):
    write_colmap(tmp_path, 2)
    camera = load_scene(tmp_path, max_size=max_size).train_views[0].camera
    assert (camera.width, camera.height) == wanted
    assert camera.fx == pytest.approx(30.0 * wanted[0] / 32)
    assert camera.cy == pytest.approx(12.0 * wanted[1] / 24)


def test_load_scene_larger_images_of_same_shape_scale_intrinsics(tmp_path):
    write_colmap(tmp_path, 3, size=(64, 48))
    scene = load_scene(tmp_path)
    camera = scene.train_views[0].camera
    assert (camera.width, camera.height, camera.fx, camera.cy) == (64, 48, 60.0, 24.0)
    assert any("3 of 3 images have another size" in warning for warning in scene.warnings)


def test_load_scene_scaled_lens_keeps_its_coefficients(tmp_path):
    write_transforms(tmp_path, 2, k1=0.1)
    for path in (tmp_path / "images").iterdir():
        write_image(path, (64, 48))
    lens = load_scene(tmp_path, max_size=16).train_views[0].distortion
    assert lens is not None
    assert (lens.width, lens.fx, lens.coefficients[0]) == (64, 60.0, 0.1)


def test_load_scene_image_of_other_shape_is_refused(tmp_path):
    write_colmap(tmp_path, 3)
    write_image(tmp_path / "images" / "img_1.png", (48, 48))
    with pytest.raises(SceneError, match=r"img_1.png: image is 48x48, its camera is 32x24"):
        load_scene(tmp_path)


@pytest.mark.parametrize(
    ("content", "fault"), [(b"", r"empty \(0 bytes\)"), (b"GIF8 or not", "not an image")]
)
def test_load_scene_unreadable_image_is_named(tmp_path, content, fault):
    write_colmap(tmp_path, 3)
    (tmp_path / "images" / "img_1.png").write_bytes(content)
    with pytest.raises(SceneError, match=f"img_1.png: .*{fault}"):
        load_scene(tmp_path)


@pytest.mark.parametrize("name", ["images.bin", "img_1.png"])
def test_load_scene_permission_denied_says_so(tmp_path, monkeypatch, name):
    # Patched, since the tests may run as a user whom no permission stops.
    write_colmap(tmp_path, 3)
    real_open, real_read = Image.open, Path.read_bytes

    def refuse(path, real):
        if Path(path).name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Image, "open", lambda path: refuse(path, real_open))
    monkeypatch.setattr(Path, "read_bytes", lambda path: refuse(path, real_read))
    with pytest.raises(SceneError, match=f"{name}: permission denied; allow reading"):
        load_scene(tmp_path)


def test_load_scene_folder_permission_denied_says_so(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_dir", refuse)
    with pytest.raises(SceneError, match="permission denied"):
        load_scene(tmp_path)


@pytest.mark.parametrize("mask", ["img_1.png", "img_1.png.png", "img_1.jpg", "images/img_1.png"])
def test_load_scene_mask_folder_each_naming_is_found(tmp_path, mask):
    write_colmap(tmp_path, 3)
    path = write_image(tmp_path / "masks" / mask, color=255, mode="L")
    views = load_scene(tmp_path).train_views
    assert [view.mask_path for view in views] == [path, None]


def test_load_scene_mask_of_other_shape_is_refused(tmp_path):
    write_colmap(tmp_path, 3)
    write_image(tmp_path / "masks" / "img_1.png", (20, 20), color=255, mode="L")
    with pytest.raises(SceneError, match="mask is 20x20, its image is 32x24"):
        load_scene(tmp_path)


def test_load_scene_views_are_sorted_and_points_typed(tmp_path):
    write_colmap(tmp_path, 9)
    scene = load_scene(str(tmp_path))
    names = [view.name for view in scene.train_views]
    assert names == sorted(names)
    assert (scene.points.dtype, scene.point_colors.dtype) == (np.float32, np.uint8)
    assert scene.background == (0.0, 0.0, 0.0)


def test_scene_package_import_needs_numpy_only():
    code = "import sys, pcgs_engine.scene; print(sorted({'PIL', 'cv2', 'torch'} & {*sys.modules}))"
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
