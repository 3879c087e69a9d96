"""COLMAP readers: both forms, all lens models, and damaged files."""

import struct
import warnings

import numpy as np
import pytest
from scene_samples import (
    COLORS,
    POINTS,
    cameras_bin,
    images_bin,
    points_bin,
    write_colmap,
    write_colmap_text,
    write_image,
)

from pcgs_engine.errors import SceneError
from pcgs_engine.scene.colmap_binary import (
    read_cameras_binary,
    read_images_binary,
    read_points_binary,
)
from pcgs_engine.scene.colmap_model import lens_from_params
from pcgs_engine.scene.colmap_text import read_cameras_text
from pcgs_engine.scene.load_scene import load_scene

READERS = {
    "cameras.bin": (read_cameras_binary, cameras_bin()),
    "images.bin": (read_images_binary, images_bin(["a.png", "b.png"])),
    "points3D.bin": (read_points_binary, points_bin()),
}


def test_colmap_binary_small_set_gives_cameras_and_points(tmp_path):
    write_colmap(tmp_path)
    scene = load_scene(tmp_path)
    assert scene.kind == "colmap"
    assert [view.name for view in scene.test_views] == ["images/img_0.png", "images/img_8.png"]
    camera = scene.train_views[1].camera  # index 2: a turn of 0.2 about y
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (30.0, 31.0, 16.0, 12.0)
    cosine, sine = np.cos(0.2), np.sin(0.2)
    wanted = [[cosine, 0, sine, 0.2], [0, 1, 0, 0.2], [-sine, 0, cosine, 0.3], [0, 0, 0, 1]]
    np.testing.assert_allclose(camera.world_to_camera, wanted, atol=1e-12)
    np.testing.assert_array_equal(scene.points, POINTS.astype(np.float32))
    np.testing.assert_array_equal(scene.point_colors, COLORS)
    assert scene.warnings == ()


def test_colmap_text_same_set_equals_binary(tmp_path):
    write_colmap(tmp_path / "binary", 3)
    write_colmap_text(tmp_path / "text", 3)
    binary, text = load_scene(tmp_path / "binary"), load_scene(tmp_path / "text")
    np.testing.assert_array_equal(text.points, binary.points)
    np.testing.assert_array_equal(text.point_colors, binary.point_colors)
    assert len(text.train_views) == 2
    for a, b in zip(text.train_views, binary.train_views, strict=True):
        assert a.name == b.name
        np.testing.assert_allclose(a.camera.world_to_camera, b.camera.world_to_camera, atol=1e-14)
        np.testing.assert_array_equal(a.camera.intrinsics, b.camera.intrinsics)


@pytest.mark.parametrize("model", ["sparse/0", "sparse", "."])
def test_colmap_model_folder_each_place_is_found(tmp_path, model):
    write_colmap(tmp_path, 3, model=model)
    assert load_scene(tmp_path).kind == "colmap"


@pytest.mark.parametrize(
    ("model", "params", "focal", "coefficients"),
    [
        ("SIMPLE_PINHOLE", (30.0, 16.0, 12.0), (30.0, 30.0), ()),
        ("PINHOLE", (30.0, 31.0, 16.0, 12.0), (30.0, 31.0), ()),
        ("SIMPLE_RADIAL", (30.0, 16.0, 12.0, 0.1), (30.0, 30.0), (0.1, 0, 0, 0, 0, 0, 0, 0)),
        ("RADIAL", (30.0, 16.0, 12.0, 0.1, 0.2), (30.0, 30.0), (0.1, 0.2, 0, 0, 0, 0, 0, 0)),
        (
            "OPENCV",
            (30.0, 31.0, 16.0, 12.0, 0.1, 0.2, 0.3, 0.4),
            (30.0, 31.0),
            (0.1, 0.2, 0.3, 0.4, 0, 0, 0, 0),
        ),
        (
            "FULL_OPENCV",
            (30.0, 31.0, 16.0, 12.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0),
            (30.0, 31.0),
            (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0),
        ),
    ],
)
def test_colmap_lens_each_model_same_in_both_forms(tmp_path, model, params, focal, coefficients):
    binary, text = tmp_path / "cameras.bin", tmp_path / "cameras.txt"
    binary.write_bytes(cameras_bin(model, params=params))
    text.write_text(f"7 {model} 32 24 {' '.join(map(str, params))}\n")
    lens = read_cameras_binary(binary)[7]
    assert lens == read_cameras_text(text)[7]
    assert (lens.fx, lens.fy, lens.cx, lens.cy) == (*focal, 16.0, 12.0)
    assert (lens.width, lens.height) == (32, 24)
    assert lens.coefficients == coefficients


@pytest.mark.parametrize("model", ["OPENCV_FISHEYE", "number 99"])
def test_colmap_lens_unsupported_model_names_it_and_the_undistorter(tmp_path, model):
    path = tmp_path / "cameras.bin"
    path.write_bytes(cameras_bin(model, params=(1.0,) * 8))
    with pytest.raises(SceneError, match=f"camera model {model} .*image_undistorter"):
        read_cameras_binary(path)


@pytest.mark.parametrize(
    ("params", "fault"),
    [((30.0, 16.0), "2 parameters"), ((-1.0, 1.0, 1.0), "size"), ((np.nan, 1.0, 1.0), "size")],
)
def test_colmap_lens_bad_parameters_are_refused(params, fault):
    with pytest.raises(SceneError, match=fault):
        lens_from_params("SIMPLE_PINHOLE", (32, 24), params, "cameras.txt: line 1")


@pytest.mark.parametrize("name", READERS)
def test_colmap_binary_truncated_anywhere_says_where(tmp_path, name):
    reader, data = READERS[name]
    path = tmp_path / name
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(SceneError, match=r"truncated.* byte \d+"):
            reader(path)


@pytest.mark.parametrize("name", READERS)
def test_colmap_binary_extra_bytes_are_refused(tmp_path, name):
    reader, data = READERS[name]
    path = tmp_path / name
    path.write_bytes(data + b"\0")
    with pytest.raises(SceneError, match="1 extra bytes"):
        reader(path)


@pytest.mark.parametrize("name", READERS)
def test_colmap_binary_huge_count_is_refused_before_allocating(tmp_path, name):
    reader, data = READERS[name]
    path = tmp_path / name
    path.write_bytes(struct.pack("<Q", 2**62) + data[8:])
    with pytest.raises(SceneError, match=f"announces {2**62}"):
        reader(path)


@pytest.mark.parametrize("name", READERS)
def test_colmap_binary_flipped_bytes_read_or_fail_with_scene_error(tmp_path, name):
    reader, data = READERS[name]
    path = tmp_path / name
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                reader(path)
            except SceneError as error:
                assert "\n" not in str(error)  # noqa: PT017


def test_colmap_images_unknown_camera_is_named(tmp_path):
    model = write_colmap(tmp_path, 2)
    (model / "images.bin").write_bytes(images_bin(["img_0.png", "img_1.png"], camera_id=3))
    with pytest.raises(SceneError, match=r"img_0.png has camera 3, wanted one of \[7\]"):
        load_scene(tmp_path)


def test_colmap_images_missing_files_are_counted_and_named(tmp_path):
    write_colmap(tmp_path, 6)
    for index in (1, 2, 4, 5):
        (tmp_path / "images" / f"img_{index}.png").unlink()
    with pytest.raises(
        SceneError, match=r"4 of 6 images .*img_1.png, img_2.png, img_4.png, \.\.\."
    ):
        load_scene(tmp_path)


def test_colmap_images_folder_missing_is_explained(tmp_path):
    write_colmap(tmp_path, 2)
    (tmp_path / "images").rename(tmp_path / "photos")
    with pytest.raises(SceneError, match="no folder images/"):
        load_scene(tmp_path)


def test_colmap_images_file_missing_is_named(tmp_path):
    (write_colmap(tmp_path, 2) / "images.bin").unlink()
    with pytest.raises(SceneError, match=r"images.bin: file is missing"):
        load_scene(tmp_path)


def test_colmap_images_empty_list_is_refused(tmp_path):
    model = write_colmap(tmp_path, 2)
    (model / "images.bin").write_bytes(images_bin([]))
    with pytest.raises(SceneError, match="lists no images"):
        load_scene(tmp_path)


def test_colmap_images_without_pose_are_left_out_with_warning(tmp_path):
    write_colmap(tmp_path, 3)
    write_image(tmp_path / "images" / "blurred.png")
    scene = load_scene(tmp_path)
    assert len(scene.train_views) + len(scene.test_views) == 3
    assert any("1 of 4 images have no pose" in w and "blurred.png" in w for w in scene.warnings)


@pytest.mark.parametrize(
    ("turn", "fault"), [((np.nan, 0, 0, 0), "finite"), ((2.0, 0, 0, 0), "length 2, wanted 1")]
)
def test_colmap_pose_not_rigid_names_file_and_image(tmp_path, turn, fault):
    model = write_colmap(tmp_path, 1)
    (model / "images.bin").write_bytes(images_bin(["img_0.png"], turns=lambda _: turn))
    with pytest.raises(SceneError, match=f"images.bin: image img_0.png: .*{fault}"):
        load_scene(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("cameras.txt", "7 PINHOLE 32\n", "line 1: 3 fields"),
        ("cameras.txt", "7 PINHOLE 32 24 30 31 16 x\n", "line 1: could not convert"),
        ("cameras.txt", "7 PINHOLE 32 wide 30 31 16 12\n", "'wide' is no whole number"),
        ("images.txt", "# one\n1 1 0 0 0\n\n", "line 2: 5 fields"),
        ("points3D.txt", "0 1 2 3 4 5\n", "line 1: 6 fields"),
        ("points3D.txt", "0 1 2 3 4 5 256 0.1\n", "wanted 0..255"),
    ],
)
def test_colmap_text_bad_line_is_named(tmp_path, name, text, fault):
    model = write_colmap_text(tmp_path)
    (model / name).write_text(text)
    with pytest.raises(SceneError, match=f"{name}: .*{fault}"):
        load_scene(tmp_path)


def test_colmap_points_not_finite_are_dropped_with_warning(tmp_path):
    model = write_colmap(tmp_path, 2)
    points = POINTS.copy()
    points[1, 0] = np.nan
    (model / "points3D.bin").write_bytes(points_bin(points))
    scene = load_scene(tmp_path)
    assert len(scene.points) == 2
    assert "1 of 3 points are not finite, dropped" in scene.warnings
