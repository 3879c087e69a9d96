"""The parts of a render that are plain numpy: EXR, merging, placing, projecting, colours."""

import numpy as np
import pytest
from render_scenes import ball


def exr_bytes(channels, *, compression=0, version=2):
    """A small EXR as Blender writes it; `channels` name to [H, W], top row first."""
    import struct

    height, width = next(iter(channels.values())).shape
    names = sorted(channels)

    def attribute(name, kind, value):
        head = name.encode() + b"\0" + kind.encode() + b"\0"
        return head + struct.pack("<i", len(value)) + value

    listing = b"".join(n.encode() + b"\0" + struct.pack("<4i", 2, 0, 1, 1) for n in names) + b"\0"
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    head = struct.pack("<ii", 20000630, version) + attribute("channels", "chlist", listing)
    head += attribute("compression", "compression", bytes([compression]))
    head += attribute("dataWindow", "box2i", window) + b"\0"
    lines = [b"".join(channels[n][y].astype("<f4").tobytes() for n in names) for y in range(height)]
    body = b"".join(struct.pack("<ii", y, len(line)) + line for y, line in enumerate(lines))
    return head + bytes(8 * height) + body


def sample_channels():
    rng = np.random.default_rng(1)
    return {name: rng.random((4, 6), np.float32) for name in ("L.Combined.R", "L.Depth.Z", "A")}


def test_exr_channels_come_back_bottom_row_first(tmp_path):
    from addon.render.exr_file import read_exr

    channels = sample_channels()
    (tmp_path / "a.exr").write_bytes(exr_bytes(channels))
    found = read_exr(tmp_path / "a.exr")
    assert set(found) == set(channels)
    for name, values in channels.items():
        assert np.array_equal(found[name], values[::-1])


def test_exr_that_is_cut_or_of_another_kind_is_told(tmp_path):
    from addon.render.exr_file import ExrError, read_exr

    path = tmp_path / "a.exr"
    data = exr_bytes(sample_channels())
    broken = [data[:end] for end in range(0, len(data), 7)]
    broken += [exr_bytes(sample_channels(), compression=3)]
    broken += [exr_bytes(sample_channels(), version=0x1002), b"\x89PNG\r\n\x1a\n" + bytes(50)]
    for bad in broken:
        path.write_bytes(bad)
        with pytest.raises(ExrError):
            read_exr(path)


def test_base_picture_without_depth_is_told():
    from addon.render.base_picture import BasePictureError, picture_of_channels

    plane = np.zeros((2, 2), np.float32)
    channels = {f"L.Combined.{c}": plane for c in "RGBA"}
    with pytest.raises(BasePictureError, match="no depth pass"):
        picture_of_channels(channels, 100.0)


def test_base_picture_of_several_layers_has_the_nearest_depth():
    from addon.render.base_picture import picture_of_channels

    plane = np.zeros((2, 2), np.float32)
    channels = {f"{layer}.Combined.{c}": plane for c in "RGBA" for layer in ("L", "My.Layer")}
    channels["L.Depth.Z"] = np.array([[1.0, 5.0], [1e10, 99.98]], np.float32)
    channels["My.Layer.Depth.Z"] = np.array([[2.0, 3.0], [1e10, 1e10]], np.float32)
    base = picture_of_channels(channels, 100.0)
    assert np.array_equal(base.depth, [[1.0, 3.0], [np.inf, np.inf]])
    assert base.environment is None


def base_of(color, depth, environment=None):
    from addon.render.base_picture import BasePicture

    return BasePicture(color=color, depth=depth, environment=environment)


def over(upper, lower):
    return upper + (1.0 - upper[..., 3:]) * lower


SHARP = (0.0, 0.0, 0.3, 1.0, 1.0, 0.8, 0.0)
"""Coverage along a row: the depth sample misses the mesh in one of its edges and hits it in one."""
SOFT = tuple(np.linspace(0.0, 1.0, 11))
"""An edge out of focus."""


@pytest.mark.parametrize(("film", "row"), [(False, SHARP), (True, SHARP), (True, SOFT)])
def test_merge_is_front_over_mesh_over_behind_over_world(film, row):
    """A mesh that covers pixels partly, between two layers of splats."""
    from addon.render.merge import merge, occluder_of, to_linear

    covered = np.tile(np.array(row, np.float32), (3, 1))
    light = covered[..., None]
    mesh = np.array([0.1, 0.6, 0.2, 1.0], np.float32) * light
    world = np.array([0.3, 0.3, 0.9], np.float32)
    environment = world * (1.0 - light)
    color = mesh.copy()
    if not film:
        color[..., :3] += environment
        color[..., 3] = 1.0
    depth = np.where(covered >= 0.5, 2.0, np.inf).astype(np.float32)
    base = base_of(color, depth, environment)
    front = np.tile(np.array([0.2, 0.2, 0.2, 0.4], np.float32), (*covered.shape, 1))
    behind = np.tile(np.array([0.5, 0.4, 0.3, 0.7], np.float32), (*covered.shape, 1))
    whole = over(front, behind)
    occluder = occluder_of(base, transparent_film=film)
    hidden = np.isfinite(occluder.depth)
    assert np.array_equal(hidden, covered > 0.0)
    drawn = np.where(hidden[..., None], front, whole)
    result = over(merge(drawn, whole, base, occluder, transparent_film=film), color)
    background = np.array([*world, 1.0], np.float32) * (0.0 if film else 1.0)
    below = mesh + (1.0 - light) * over(to_linear(behind), background)
    expected = over(to_linear(front), below)
    # Where no mesh is, splats are blended with each other as trained: in sRGB values.
    expected[~hidden] = over(to_linear(whole), np.broadcast_to(background, color.shape))[~hidden]
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_to_linear_of_opaque_and_clear_pixels():
    from addon.render.merge import to_linear

    picture = np.array([[[0.5, 0.0, 1.0, 1.0], [0.25, 0.0, 0.5, 0.5], [0, 0, 0, 0]]], np.float32)
    linear = to_linear(picture)
    grey = ((0.5 + 0.055) / 1.055) ** 2.4
    np.testing.assert_allclose(linear[0, 0], [grey, 0.0, 1.0, 1.0], rtol=1e-5)
    np.testing.assert_allclose(linear[0, 1], [0.5 * grey, 0.0, 0.5, 0.5], rtol=1e-5)
    assert not linear[0, 2].any()


def test_quaternions_and_matrices_are_inverse():
    from addon.render.world_splats import matrix_to_quats, quats_to_matrix

    rng = np.random.default_rng(2)
    quats = rng.normal(size=(500, 4)).astype(np.float32)
    quats[:4] = np.eye(4)  # half turns: each component is the largest once
    matrices = quats_to_matrix(quats)
    np.testing.assert_allclose(np.linalg.det(matrices), 1.0, rtol=1e-6)
    again = quats_to_matrix(matrix_to_quats(matrices))
    np.testing.assert_allclose(again, matrices, atol=1e-5)
    mirrored = quats_to_matrix(matrix_to_quats(-matrices))
    np.testing.assert_allclose(mirrored, matrices, atol=1e-5)


def view_at(z=4.0, *, ortho=False):
    from addon.viewport.view_parameters import ViewParameters

    view = np.eye(4)
    view[2, 3] = -z
    near, far = 0.1, 100.0
    projection = np.diag([2.0, 3.0, 0.0, 0.0])
    if ortho:
        projection[2, 2], projection[2, 3] = -2 / (far - near), -(far + near) / (far - near)
        projection[3, 3] = 1.0
        projection[0, 3] = 0.25
    else:
        projection[2, 2] = -(far + near) / (far - near)
        projection[2, 3] = -2 * far * near / (far - near)
        projection[3, 2] = -1.0
        projection[0, 2] = 0.25
    return ViewParameters.from_matrices(view, projection)


def instance(cloud, matrix):
    from addon.objects import SplatInstance

    return SplatInstance(cloud=cloud, key=("a", 1, 1), matrix_world=matrix, object_name="A")


def test_world_splats_have_the_covariances_of_their_object():
    from addon.render.world_splats import quats_to_matrix, world_splats

    rng = np.random.default_rng(4)
    matrix = np.eye(4)
    matrix[:3, :3] = rng.normal(0.0, 0.2, (3, 3)) + np.diag([1.0, -0.5, 0.8])
    matrix[:3, 3] = 0.1, -0.2, 0.3
    cloud = ball(200, radius=0.5)
    placed = world_splats([instance(cloud, matrix)], view_at(), (0.1, 100.0))
    assert len(placed) == len(cloud)
    own = quats_to_matrix(cloud.quats) * cloud.scales[:, None, :]
    own = matrix[:3, :3] @ own
    expected = own @ own.transpose(0, 2, 1)
    axes = quats_to_matrix(placed.quats) * placed.scales[:, None, :]
    np.testing.assert_allclose(axes @ axes.transpose(0, 2, 1), expected, atol=1e-6)
    np.testing.assert_allclose(
        placed.means, cloud.means @ matrix[:3, :3].T + matrix[:3, 3], atol=1e-5
    )


def test_world_splats_keep_the_color_seen_in_the_objects_space():
    from addon.render.world_splats import world_splats
    from pcgs_engine.splats.spherical_harmonics import colors

    matrix = np.diag([-1.0, -1.0, 1.0, 1.0])  # half a turn about the view's axis
    cloud = ball(200, radius=0.5)
    placed = world_splats([instance(cloud, matrix)], view_at(), (0.1, 100.0))
    rays = cloud.means - np.array([0.0, 0.0, 4.0], np.float32)
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    shown = colors(placed.sh, rays)
    np.testing.assert_allclose(shown, colors(cloud.sh, rays), atol=1e-5)


def test_world_splats_beyond_the_clip_planes_are_left_out():
    from addon.render.world_splats import world_splats

    cloud = ball(500)
    placed = world_splats([instance(cloud, np.eye(4))], view_at(), (3.5, 4.5))
    depths = 4.0 - placed.means[:, 2]
    assert 0 < len(placed) < len(cloud)
    assert (depths >= 3.5).all()
    assert (depths <= 4.5).all()


@pytest.mark.parametrize("ortho", [False, True])
def test_pinhole_camera_shows_points_where_the_view_does(ortho):
    from addon.render.cpu_pictures import pinhole_view

    view = view_at(ortho=ortho)
    points = np.random.default_rng(5).uniform(-1.0, 1.0, (50, 3))
    here = np.c_[points, np.ones(50)] @ view.view_matrix.T
    clip = here @ view.projection_matrix.T
    width, height = 200, 100
    x = (0.5 + 0.5 * clip[:, 0] / clip[:, 3]) * width
    y = (0.5 - 0.5 * clip[:, 1] / clip[:, 3]) * height
    pinhole = pinhole_view(view, (width, height), (-here[:, 2]).astype(np.float32))
    camera = pinhole.camera
    pose = np.array(camera["world_to_camera"])
    cv = np.c_[points * pinhole.unit, np.ones(50)] @ pose.T
    np.testing.assert_allclose(camera["fx"] * cv[:, 0] / cv[:, 2] + camera["cx"], x, atol=0.06)
    np.testing.assert_allclose(camera["fy"] * cv[:, 1] / cv[:, 2] + camera["cy"], y, atol=0.06)
    depth = -here[:, 2] * pinhole.unit + pinhole.offset
    np.testing.assert_allclose(cv[:, 2], depth, rtol=1e-9)


@pytest.mark.parametrize("ortho", [False, True])
def test_clip_range_of_a_view_and_its_crop(ortho):
    from addon.render.render_frame import clip_range, cropped
    from addon.viewport.view_parameters import ViewParameters

    view = view_at(ortho=ortho)
    assert clip_range(view) == pytest.approx((0.1, 100.0))
    part = cropped(view.projection_matrix, (200, 100), (50, 20), (100, 60))
    point = np.array([0.1, 0.2, -3.0, 1.0])
    whole = view.projection_matrix @ point
    inner = part @ point
    x = (0.5 + 0.5 * whole[0] / whole[3]) * 200 - 50
    y = (0.5 + 0.5 * whole[1] / whole[3]) * 100 - 20
    assert (0.5 + 0.5 * inner[0] / inner[3]) * 100 == pytest.approx(x)
    assert (0.5 + 0.5 * inner[1] / inner[3]) * 60 == pytest.approx(y)
    cut = ViewParameters.from_matrices(view.view_matrix, part)
    assert clip_range(cut) == pytest.approx((0.1, 100.0))


def test_colors_agx_can_show_are_left_alone():
    from addon.render.reachable import reachable_in_agx

    plain = np.array([[120, 80, 40], [128, 128, 128], [255, 255, 255], [0, 0, 0], [90, 120, 70]])
    colors = (plain / 255.0).astype(np.float32)
    np.testing.assert_allclose(reachable_in_agx(colors), colors, atol=1.5 / 255)
    yellow = reachable_in_agx(np.array([[1.0, 0.84, 0.12]], np.float32))[0]
    assert yellow[0] > yellow[2] + 0.25
    assert yellow[1] > yellow[2] + 0.25
