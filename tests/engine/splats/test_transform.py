"""transform_splats against what it promises: centres, covariances and seen colours."""

import numpy as np
import pytest

from pcgs_engine.errors import ConfigError
from pcgs_engine.splats import SplatCloud
from pcgs_engine.splats.spherical_harmonics import colors, num_coefficients
from pcgs_engine.splats.transform import sh_transform, transform_splats


def make_cloud(degree, count=200, seed=3):
    rng = np.random.default_rng(seed)
    quats = rng.normal(size=(count, 4))
    quats /= np.linalg.norm(quats, axis=1, keepdims=True)
    return SplatCloud(
        means=rng.normal(size=(count, 3)).astype(np.float32),
        scales=rng.uniform(0.01, 0.5, (count, 3)).astype(np.float32),
        quats=quats.astype(np.float32),
        opacities=rng.uniform(0.1, 0.9, count).astype(np.float32),
        sh=rng.normal(0.0, 0.1, (count, num_coefficients(degree), 3)).astype(np.float32),
    )


def rotation(seed=0):
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q * np.sign(np.linalg.det(q))


def affine(linear, shift=(0.3, -2.0, 5.0)):
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    matrix[:3, 3] = shift
    return matrix


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


def directions(count=64, seed=9):
    found = np.random.default_rng(seed).normal(size=(count, 3))
    return found / np.linalg.norm(found, axis=1, keepdims=True)


MAPS = {
    "rotation": rotation(),
    "rotation by half a turn": np.diag([-1.0, -1.0, 1.0]),
    "one scale": 2.5 * rotation(1),
    "mirror": 0.7 * rotation(2) @ np.diag([1.0, 1.0, -1.0]),
    "uneven scale": rotation(3) @ np.diag([0.5, 1.0, 3.0]),
    "shear and mirror": np.array([[1.0, 0.4, 0.0], [0.0, -2.0, 0.3], [0.2, 0.0, 1.0]]),
}


@pytest.mark.parametrize("name", MAPS)
def test_centres_and_covariances_follow_the_map(name):
    linear, cloud = MAPS[name], make_cloud(0)
    moved = transform_splats(cloud, affine(linear))
    assert np.allclose(moved.means, cloud.means @ linear.T + (0.3, -2.0, 5.0), atol=1e-5)
    expected = linear @ covariances(cloud) @ linear.T
    assert np.allclose(covariances(moved), expected, atol=1e-5)
    assert np.allclose(np.linalg.norm(moved.quats, axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("name", ["rotation", "rotation by half a turn", "one scale", "mirror"])
def test_colours_seen_are_those_seen_before_the_map(name, degree):
    linear, cloud = MAPS[name], make_cloud(degree)
    moved = transform_splats(cloud, affine(linear))
    for direction in directions():
        before = direction @ np.linalg.inv(linear).T
        before = (before / np.linalg.norm(before)).astype(np.float32)
        old = colors(cloud.sh, np.broadcast_to(before, (len(cloud), 3)))
        new = colors(moved.sh, np.broadcast_to(direction.astype(np.float32), (len(cloud), 3)))
        assert np.abs(old - new).max() < 1e-5


def test_uneven_scale_keeps_colours_as_far_as_harmonics_can():
    # Stretching by 1.3 bends the colour function slightly out of the span of degree 3.
    linear, cloud = rotation(4) @ np.diag([1.0, 1.0, 1.3]), make_cloud(3)
    moved = transform_splats(cloud, affine(linear))
    worst = []
    for direction in directions():
        before = direction @ np.linalg.inv(linear).T
        before = (before / np.linalg.norm(before)).astype(np.float32)
        old = colors(cloud.sh, np.broadcast_to(before, (len(cloud), 3)))
        new = colors(moved.sh, np.broadcast_to(direction.astype(np.float32), (len(cloud), 3)))
        worst.append(np.sqrt(np.mean((old - new) ** 2)))
    spread = np.std(colors(cloud.sh, directions(len(cloud)).astype(np.float32)))
    assert max(worst) < 0.25 * spread


def test_maps_compose():
    cloud, first, second = make_cloud(3), affine(2.0 * rotation(5)), affine(rotation(6))
    twice = transform_splats(transform_splats(cloud, first), second)
    once = transform_splats(cloud, second @ first)
    assert np.allclose(twice.means, once.means, atol=1e-4)
    assert np.allclose(covariances(twice), covariances(once), atol=1e-4)
    assert np.allclose(twice.sh, once.sh, atol=1e-5)


def test_identity_changes_nothing():
    cloud = make_cloud(3)
    same = transform_splats(cloud, np.eye(4))
    assert np.array_equal(same.means, cloud.means)
    assert np.allclose(same.scales, cloud.scales, rtol=1e-6)
    assert np.allclose(same.quats, cloud.quats, atol=1e-6)
    assert np.allclose(same.sh, cloud.sh, atol=1e-5)


def test_sh_transform_of_a_rotation_is_orthogonal():
    turn = sh_transform(rotation(7), 3)
    assert np.allclose(turn @ turn.T, np.eye(16), atol=1e-5)


def test_empty_cloud_is_moved_to_an_empty_cloud():
    cloud = make_cloud(1, count=0)
    assert len(transform_splats(cloud, affine(MAPS["uneven scale"]))) == 0


@pytest.mark.parametrize(
    "matrix",
    [
        affine(np.diag([1.0, 0.0, 1.0])),
        affine(np.zeros((3, 3))),
        np.full((4, 4), np.nan),
        np.eye(3),
        np.diag([1.0, 1.0, 1.0, 2.0]),
    ],
)
def test_map_that_is_no_invertible_affine_one_is_refused(matrix):
    with pytest.raises(ConfigError, match="transform"):
        transform_splats(make_cloud(1), matrix)
