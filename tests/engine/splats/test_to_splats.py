"""Anchors to splats: the explicit head is exact, the neural head close, nothing absent appears."""

import sys

import numpy as np
import pytest

from pcgs_engine.config import Head, ModelConfig
from pcgs_engine.splats import AnchorSet, Dense, HeadWeights, to_splats
from pcgs_engine.splats.spherical_harmonics import colors

F, K, HIDDEN = 10, 4, 12


def dense(rng, inputs, outputs, gain=1.0):
    weight = rng.normal(size=(outputs, inputs)) * gain / np.sqrt(inputs)
    bias = rng.normal(size=outputs) * 0.1
    return Dense(weight=weight.astype(np.float32), bias=bias.astype(np.float32))


def random_head(config, seed=0):
    rng = np.random.default_rng(seed)
    neural = config.head is Head.NEURAL
    inputs = F + (4 if neural else 0)
    colors_out = 3 * K * (1 if neural else (config.sh_degree + 1) ** 2)
    return HeadWeights(
        opacity_hidden=dense(rng, inputs, HIDDEN),
        opacity_out=dense(rng, HIDDEN, K),
        covariance_hidden=dense(rng, inputs, HIDDEN),
        covariance_out=dense(rng, HIDDEN, 7 * K),
        color_hidden=dense(rng, inputs, HIDDEN),
        color_out=dense(rng, HIDDEN, colors_out),
        distance_unit=2.0,
    )


def random_anchors(count, seed=0):
    rng = np.random.default_rng(seed)
    mask = rng.random((count, K)) < 0.7
    return AnchorSet(
        level=1,
        positions=rng.uniform(-1, 1, (count, 3)).astype(np.float32),
        features=rng.normal(size=(count, F)).astype(np.float32),
        scaling=rng.uniform(0.01, 0.1, (count, 6)).astype(np.float32),
        offsets=(rng.normal(size=(count, K, 3)) * mask[..., None]).astype(np.float32),
        gaussian_mask=mask,
    )


def config_of(head, degree=2):
    return ModelConfig(
        feature_dim=F, num_offsets=K, head_hidden=HIDDEN, head=head, sh_degree=degree
    )


def ring_of_cameras(count=12):
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([3 * np.cos(angle), 3 * np.sin(angle), np.full(count, 1.0)], axis=1)


def layer(x, dense_layer):
    return x @ dense_layer.weight.T + dense_layer.bias


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_explicit_head_gives_exactly_the_rules_of_the_design(degree):
    config = config_of(Head.EXPLICIT, degree)
    head, anchors = random_head(config), random_anchors(50)
    cloud = to_splats(anchors, head, config, np.zeros((0, 3)))
    m = 0
    for n in range(50):
        x = anchors.features[n]
        opacity = np.tanh(layer(np.maximum(layer(x, head.opacity_hidden), 0), head.opacity_out))
        cov = layer(np.maximum(layer(x, head.covariance_hidden), 0), head.covariance_out)
        sh = layer(np.maximum(layer(x, head.color_hidden), 0), head.color_out)
        for k in range(K):
            if not anchors.gaussian_mask[n, k] or opacity[k] <= 0:
                continue
            c = cov.reshape(K, 7)[k]
            quat = c[3:] + np.array([1, 0, 0, 0])
            centre = anchors.positions[n] + anchors.offsets[n, k] * anchors.scaling[n, :3]
            scale = anchors.scaling[n, 3:] / (1 + np.exp(-c[:3]))
            np.testing.assert_allclose(cloud.means[m], centre, atol=1e-6)
            np.testing.assert_allclose(cloud.scales[m], scale, rtol=1e-4)
            np.testing.assert_allclose(cloud.quats[m], quat / np.linalg.norm(quat), atol=1e-5)
            assert cloud.opacities[m] == pytest.approx(opacity[k], abs=1e-5)
            wanted = sh.reshape(K, (degree + 1) ** 2, 3)[k]
            np.testing.assert_allclose(cloud.sh[m], wanted, atol=1e-5)
            m += 1
    assert m == len(cloud) > 30


@pytest.mark.parametrize("head_kind", list(Head))
def test_cloud_is_valid_float32(head_kind):
    config = config_of(head_kind)
    cloud = to_splats(random_anchors(200), random_head(config), config, ring_of_cameras())
    for array in (cloud.means, cloud.scales, cloud.quats, cloud.opacities, cloud.sh):
        assert array.dtype == np.float32
        assert np.isfinite(array).all()
    assert cloud.sh.shape == (len(cloud), 9, 3)
    assert (cloud.scales > 0).all()
    assert ((cloud.opacities > 0) & (cloud.opacities <= 1)).all()
    np.testing.assert_allclose(np.linalg.norm(cloud.quats, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("head_kind", list(Head))
def test_no_anchors_give_an_empty_cloud(head_kind):
    config = config_of(head_kind)
    cloud = to_splats(random_anchors(0), random_head(config), config, ring_of_cameras())
    assert len(cloud) == 0
    assert cloud.sh.shape == (0, 9, 3)


@pytest.mark.parametrize("head_kind", list(Head))
def test_masked_gaussians_never_appear(head_kind):
    config = config_of(head_kind)
    anchors = random_anchors(20)
    anchors.gaussian_mask[:] = False
    assert len(to_splats(anchors, random_head(config), config, ring_of_cameras())) == 0


@pytest.mark.parametrize("head_kind", list(Head))
def test_result_does_not_depend_on_chunks(head_kind, monkeypatch):
    config = config_of(head_kind)
    anchors, head = random_anchors(70), random_head(config)
    whole = to_splats(anchors, head, config, ring_of_cameras())
    for name in ("_EXPLICIT_CHUNK", "_NEURAL_CHUNK"):
        # the package re-exports a function of the module's name
        monkeypatch.setattr(sys.modules["pcgs_engine.splats.to_splats"], name, 16)
    parts = to_splats(anchors, head, config, ring_of_cameras())
    np.testing.assert_allclose(parts.means, whole.means, atol=1e-6)
    np.testing.assert_allclose(parts.sh, whole.sh, atol=2e-5)


def without_view(head, gain=0.0):
    """Scale the columns by which the view enters the neural head."""
    scaled = {}
    for name in ("opacity_hidden", "covariance_hidden", "color_hidden"):
        weight = getattr(head, name).weight.copy()
        weight[:, F:] *= gain
        scaled[name] = Dense(weight=weight, bias=getattr(head, name).bias)
    rest = {n: getattr(head, n) for n in ("opacity_out", "covariance_out", "color_out")}
    return HeadWeights(**scaled, **rest, distance_unit=head.distance_unit)


def neural_truth(anchors, head, camera):
    """Opacity `[n, K]` and RGB `[n, K, 3]` that the neural head gives for one camera."""
    ray = anchors.positions - camera
    distance = np.linalg.norm(ray, axis=1, keepdims=True)
    x = np.concatenate([anchors.features, ray / distance, distance / head.distance_unit], axis=1)
    opacity = np.tanh(layer(np.maximum(layer(x, head.opacity_hidden), 0), head.opacity_out))
    raw = layer(np.maximum(layer(x, head.color_hidden), 0), head.color_out)
    return opacity, (1 / (1 + np.exp(-raw))).reshape(len(x), K, 3)


def test_neural_head_blind_to_the_view_is_reproduced_exactly():
    config = config_of(Head.NEURAL)
    anchors, head = random_anchors(60), without_view(random_head(config))
    cameras = ring_of_cameras()
    cloud = to_splats(anchors, head, config, cameras)
    opacity, rgb = neural_truth(anchors, head, cameras[0])
    keep = anchors.gaussian_mask & (opacity > 0)
    assert len(cloud) == keep.sum()
    np.testing.assert_allclose(cloud.opacities, opacity[keep], atol=1e-5)
    directions = np.tile(np.array([[0.0, 0.6, 0.8]], np.float32), (len(cloud), 1))
    np.testing.assert_allclose(colors(cloud.sh, directions), rgb[keep], atol=1e-4)


def test_neural_head_that_varies_slowly_is_fitted_closely():
    config = config_of(Head.NEURAL)
    anchors, head = random_anchors(60), without_view(random_head(config), gain=0.4)
    cameras = ring_of_cameras(20)
    cloud = to_splats(anchors, head, config, cameras)
    owner = np.nonzero(_present_anywhere(anchors, head, cameras))
    assert len(owner[0]) == len(cloud)
    errors, spreads = [], []
    mean = np.mean([neural_truth(anchors, head, c)[1] for c in cameras], axis=0)[owner]
    for camera in cameras:
        opacity, rgb = neural_truth(anchors, head, camera)
        seen = opacity[owner] > 0
        rays = (anchors.positions[owner[0]] - camera).astype(np.float32)
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        errors.append(np.abs(colors(cloud.sh, rays) - rgb[owner])[seen])
        spreads.append(np.abs(mean - rgb[owner])[seen])
    error, spread = np.concatenate(errors).mean(), np.concatenate(spreads).mean()
    assert error < 0.01
    assert error < 0.5 * spread  # better than one colour for all views


def _present_anywhere(anchors, head, cameras):
    seen = np.any([neural_truth(anchors, head, camera)[0] > 0 for camera in cameras], axis=0)
    return anchors.gaussian_mask & seen


def test_neural_head_opacity_lies_between_those_of_the_cameras():
    config = config_of(Head.NEURAL)
    anchors, head = random_anchors(40), random_head(config)
    cameras = ring_of_cameras(8)
    cloud = to_splats(anchors, head, config, cameras)
    every = np.maximum([neural_truth(anchors, head, camera)[0] for camera in cameras], 0)
    keep = _present_anywhere(anchors, head, cameras)
    assert (cloud.opacities <= every.max(axis=0)[keep] + 1e-6).all()
    assert (cloud.opacities >= every.min(axis=0)[keep] - 1e-6).all()


def test_neural_head_without_cameras_is_asked_from_all_around():
    config = config_of(Head.NEURAL)
    anchors, head = random_anchors(40), random_head(config)
    cloud = to_splats(anchors, head, config, np.zeros((0, 3)))
    assert len(cloud) > 40
    assert np.isfinite(cloud.sh).all()


def test_neural_head_of_many_cameras_uses_a_spread_choice(monkeypatch):
    config = config_of(Head.NEURAL)
    anchors, head = random_anchors(30), random_head(config)
    crowd = np.concatenate([ring_of_cameras(23), np.tile([[3.0, 0.0, 1.0]], (500, 1))])
    few = to_splats(anchors, head, config, ring_of_cameras(23))
    many = to_splats(anchors, head, config, crowd)
    # 500 copies of one camera count as one, so the answer hardly moves
    np.testing.assert_allclose(many.opacities, few.opacities, atol=0.05)
