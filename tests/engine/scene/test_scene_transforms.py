"""transforms.json: the three dialects and bad files."""

import json
import math

import numpy as np
import pytest
from scene_samples import (
    COLORS,
    POINTS,
    frame,
    look_at_origin,
    write_colmap,
    write_image,
    write_json,
    write_ply,
    write_transforms,
)

from pcgs_engine.errors import SceneError
from pcgs_engine.scene.load_scene import load_scene


def all_views(scene):
    return sorted((*scene.train_views, *scene.test_views), key=lambda view: view.name)


def test_transforms_ngp_small_set_gives_cameras_and_points(tmp_path):
    write_transforms(tmp_path, aabb_scale=4)
    scene = load_scene(tmp_path)
    assert scene.kind == "transforms"
    assert [view.name for view in scene.test_views] == ["images/00.png", "images/08.png"]
    camera = scene.test_views[1].camera
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (30.0, 31.0, 16.5, 12.5)
    assert (camera.width, camera.height) == (32, 24)
    np.testing.assert_array_equal(scene.points, POINTS.astype(np.float32))
    np.testing.assert_array_equal(scene.point_colors, COLORS)


def test_transforms_opengl_axes_become_opencv(tmp_path):
    write_transforms(tmp_path, 1)
    camera = load_scene(tmp_path).train_views[0].camera
    matrix = look_at_origin(0.0)
    np.testing.assert_allclose(camera.centre, matrix[:3, 3], atol=1e-12)
    origin = camera.world_to_camera @ (0.0, 0.0, 0.0, 1.0)
    np.testing.assert_allclose(origin[:3], (0, 0, np.sqrt(17)), atol=1e-12)
    above = camera.world_to_camera @ (0.0, 0.0, 1.0, 1.0)
    assert above[1] < origin[1]  # y points down


def test_transforms_nerf_synthetic_uses_split_files_and_image_size(tmp_path):
    for split, count in (("train", 3), ("test", 2), ("val", 1)):
        frames = []
        for index in range(count):
            write_image(tmp_path / split / f"r_{index}.png", (40, 20))
            frames.append(frame(f"./{split}/r_{index}", index))
        write_json(tmp_path / f"transforms_{split}.json", frames, camera_angle_x=0.7)
    write_ply(tmp_path / "points3d.ply")
    scene = load_scene(tmp_path)
    assert [v.name for v in scene.train_views] == [f"train/r_{i}.png" for i in range(3)]
    assert [v.name for v in scene.test_views] == ["test/r_0.png", "test/r_1.png"]
    camera = scene.train_views[0].camera
    assert camera.fx == camera.fy == pytest.approx(20 / math.tan(0.35))
    assert (camera.cx, camera.cy, camera.width, camera.height) == (20.0, 10.0, 40, 20)


def test_transforms_train_file_without_test_takes_val_then_every_eighth(tmp_path):
    for name in ("a", "b", "c"):
        write_image(tmp_path / f"{name}.webp")
    write_ply(tmp_path / "points3d.ply")
    frames = [frame("a"), frame("b", 1.0)]
    write_json(tmp_path / "transforms_train.json", frames, camera_angle_x=0.7)
    assert [v.name for v in load_scene(tmp_path).test_views] == ["a.webp"]
    write_json(tmp_path / "transforms_val.json", [frame("c", 2.0)], camera_angle_x=0.7)
    assert [v.name for v in load_scene(tmp_path).test_views] == ["c.webp"]


@pytest.mark.parametrize("ending", [".png", ".jpg", ".jpeg", ".PNG", ".JPG", ".webp"])
def test_transforms_path_without_ending_finds_image(tmp_path, ending):
    write_image(tmp_path / f"view.1{ending}")
    write_ply(tmp_path / "points3d.ply")
    write_json(tmp_path / "transforms.json", [frame("view.1")], camera_angle_x=0.7)
    assert load_scene(tmp_path).train_views[0].name == f"view.1{ending}"


def test_transforms_nerfstudio_frame_intrinsics_override_shared(tmp_path):
    path = write_transforms(
        tmp_path, 2, camera_model="OPENCV", k1=0.1, k3=0.01, applied_transform=[[1, 0, 0, 0]]
    )
    data = json.loads(path.read_text())
    data["frames"][1].update(fl_x=40.0, fl_y=41.0, k1=0.0, k3=0.0)
    path.write_text(json.dumps(data))
    first, second = all_views(load_scene(tmp_path))
    assert (first.camera.fx, second.camera.fx, second.camera.fy) == (30.0, 40.0, 41.0)
    assert first.distortion is not None
    assert first.distortion.coefficients == (0.1, 0.0, 0.0, 0.0, 0.01, 0.0, 0.0, 0.0)
    assert second.distortion is None


def test_transforms_nerfstudio_test_list_is_the_hold_out(tmp_path):
    write_transforms(tmp_path, 4, test_filenames=["images/02.png"])
    scene = load_scene(tmp_path)
    assert [view.name for view in scene.test_views] == ["images/02.png"]
    assert len(scene.train_views) == 3


def test_transforms_ply_file_path_wins_over_default_name(tmp_path):
    write_transforms(tmp_path, 1, ply_file_path="cloud.ply")
    (tmp_path / "points3d.ply").write_text("not read")
    write_ply(tmp_path / "cloud.ply")
    assert len(load_scene(tmp_path).points) == 3


@pytest.mark.parametrize("name", ["points3d.ply", "points3D.ply", "sparse_pc.ply"])
def test_transforms_points_beside_file_are_found(tmp_path, name):
    write_transforms(tmp_path, 1, points=False, ply_file_path="gone.ply")
    write_ply(tmp_path / name)
    scene = load_scene(tmp_path)
    assert len(scene.points) == 3
    assert any("gone.ply is missing" in warning for warning in scene.warnings)


def test_transforms_image_outside_folder_is_used(tmp_path):
    write_image(tmp_path / "images" / "a.png")
    write_json(tmp_path / "set" / "transforms.json", [frame("../images/a.png")], fl_x=30.0)
    write_ply(tmp_path / "set" / "points3d.ply")
    assert load_scene(tmp_path / "set").train_views[0].name == "../images/a.png"


def test_transforms_some_images_missing_are_skipped_with_warning(tmp_path):
    write_transforms(tmp_path, 5)
    (tmp_path / "images" / "03.png").unlink()
    scene = load_scene(tmp_path)
    assert len(all_views(scene)) == 4
    assert any("1 of 5 frames have no image file" in w and "03.png" in w for w in scene.warnings)


def test_transforms_image_listed_twice_is_used_once(tmp_path):
    write_image(tmp_path / "a.png")
    write_ply(tmp_path / "points3d.ply")
    write_json(tmp_path / "transforms.json", [frame("a.png"), frame("./a", 1.0)], fl_x=30.0)
    scene = load_scene(tmp_path)
    assert len(scene.train_views) == 1
    assert any("name an image again" in warning for warning in scene.warnings)


def test_transforms_with_colmap_beside_wins_with_warning(tmp_path):
    write_transforms(tmp_path)
    write_colmap(tmp_path)
    scene = load_scene(tmp_path)
    assert scene.kind == "transforms"
    assert any("COLMAP model is not" in warning for warning in scene.warnings)


def test_transforms_split_files_with_colmap_beside_lose_with_warning(tmp_path):
    write_colmap(tmp_path)
    write_json(tmp_path / "transforms_train.json", [frame("images/img_0")], camera_angle_x=0.7)
    scene = load_scene(tmp_path)
    assert scene.kind == "colmap"
    assert any("transforms_train.json is not" in warning for warning in scene.warnings)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"frames": [\n{"file_path" 1}]}', "line 2, column 14: invalid JSON"),
        ("", "line 1, column 1: invalid JSON"),
        ("[]", "top level is no object"),
        ("{}", "frames is missing or empty"),
        ('{"frames": []}', "frames is missing or empty"),
        ('{"frames": {"a": 1}}', "frames is missing or empty"),
        ('{"frames": [3]}', "frame 0: is int"),
        ('{"frames": [{}]}', "frame 0: file_path is None"),
        ('{"frames": [{"file_path": "gone.png"}]}', "none of the 1 image files .*gone.png"),
        ("[" * 100_000, "parsed as JSON"),
    ],
)
def test_transforms_bad_file_is_one_clear_line(tmp_path, text, fault):
    (tmp_path / "transforms.json").write_text(text)
    with pytest.raises(SceneError, match=f"transforms.json: .*{fault}") as caught:
        load_scene(tmp_path)
    assert "\n" not in str(caught.value)


def test_transforms_not_utf8_names_the_byte(tmp_path):
    (tmp_path / "transforms.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(SceneError, match="byte 7 is not UTF-8"):
        load_scene(tmp_path)


def scaled():
    return (2 * np.eye(4)).tolist()


def mirrored():
    return np.diag([1.0, 1.0, -1.0, 1.0]).tolist()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"transform_matrix": None}, "not made of numbers|shape"),
        ({"transform_matrix": [[1, 2], [3, 4]]}, r"shape \[2, 2\]"),
        ({"transform_matrix": [[1], [2, 3]]}, "not made of numbers"),
        ({"transform_matrix": [[math.nan] * 4] * 4}, "NaN"),
        ({"transform_matrix": scaled()}, "not rigid"),
        ({"transform_matrix": mirrored()}, "mirrors"),
        ({"fl_x": -3.0}, "fl_x is -3.0"),
        ({"fl_x": "wide"}, "fl_x is 'wide'"),
        ({"fl_x": math.inf}, "fl_x is inf"),
        ({"fl_x": None, "camera_angle_x": 4.0}, "camera_angle_x is 4.0"),
        ({"fl_x": None, "fl_y": None}, "neither fl_x nor camera_angle_x"),
        ({"w": 0}, "w, h are 0.0"),
        ({"camera_model": "OPENCV_FISHEYE"}, "camera_model OPENCV_FISHEYE"),
        ({"is_fisheye": True}, "camera_model OPENCV_FISHEYE"),
        ({"k4": 0.1}, "k4 is 0.1"),
        ({"mask_path": "gone.png"}, "mask gone.png is missing"),
    ],
)
def test_transforms_bad_frame_names_file_and_frame(tmp_path, change, fault):
    path = write_transforms(tmp_path, 3)
    data = json.loads(path.read_text())
    data["frames"][1].update(change)
    path.write_text(json.dumps(data))
    place = r"transforms.json: frame 1 \(images/01.png\): "
    with pytest.raises(SceneError, match=f"{place}.*({fault})"):
        load_scene(tmp_path)


def test_transforms_pose_three_rows_is_accepted(tmp_path):
    path = write_transforms(tmp_path, 1)
    data = json.loads(path.read_text())
    del data["frames"][0]["transform_matrix"][3]
    path.write_text(json.dumps(data))
    assert load_scene(tmp_path).train_views[0].camera.centre[0] == pytest.approx(4.0)


@pytest.mark.parametrize("keep", [0, 20, 150, 200])
def test_transforms_points_truncated_file_is_refused(tmp_path, keep):
    write_transforms(tmp_path, 1)
    path = tmp_path / "points3d.ply"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(SceneError, match=r"points3d.ply: not a usable PLY file"):
        load_scene(tmp_path)


def test_transforms_points_without_color_are_grey(tmp_path):
    write_transforms(tmp_path, 1)
    head = "ply\nformat ascii 1.0\nelement vertex 1\n"
    properties = "".join(f"property float {axis}\n" for axis in "xyz")
    (tmp_path / "points3d.ply").write_text(f"{head}{properties}end_header\n1 2 3\n")
    np.testing.assert_array_equal(load_scene(tmp_path).point_colors, [[128, 128, 128]])
