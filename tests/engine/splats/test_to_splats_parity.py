"""The numpy heads against the trainable ones in `model/`: one set of rules, two programs.

Compared: all attributes as one camera sees them. Not compared: order of
arithmetic, so tolerances are a few float32 roundings of 50-term sums. The neural head's splats are
an approximation; test_to_splats.py bounds it.
"""

import numpy as np
import pytest

from pcgs_engine.config import Head, ModelConfig
from pcgs_engine.splats import AnchorSet, to_splats
from pcgs_engine.splats.spherical_harmonics import colors

torch = pytest.importorskip("torch")


@pytest.fixture
def anchors():
    rng = np.random.default_rng(5)
    mask = rng.random((80, 10)) < 0.6
    return AnchorSet(
        level=2,
        positions=rng.uniform(-1, 1, (80, 3)).astype(np.float32),
        features=rng.normal(size=(80, 50)).astype(np.float32),
        scaling=rng.uniform(0.01, 0.1, (80, 6)).astype(np.float32),
        offsets=(rng.normal(size=(80, 10, 3)) * mask[..., None]).astype(np.float32),
        gaussian_mask=mask,
    )


def trainable_gaussians(anchors, weights, config, camera):
    from pcgs_engine.model.attribute_head import AttributeHead
    from pcgs_engine.model.derive import derive_gaussians

    names = ("positions", "features", "scaling", "offsets", "gaussian_mask")
    arrays = [torch.from_numpy(getattr(anchors, name)) for name in names]
    head = AttributeHead.from_weights(weights, config)
    with torch.no_grad():
        return derive_gaussians(head, *arrays, torch.from_numpy(camera)).gaussians


def test_explicit_splats_equal_gaussians_of_the_trainable_head(anchors):
    from pcgs_engine.model.attribute_head import AttributeHead

    torch.manual_seed(5)
    config = ModelConfig(head=Head.EXPLICIT)
    weights = AttributeHead(config, distance_unit=2.0).weights()
    camera = np.array([2.0, -1.0, 0.5], np.float32)
    cloud = to_splats(anchors, weights, config, camera[None])
    wanted = trainable_gaussians(anchors, weights, config, camera)
    rays = cloud.means - camera
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    quats = torch.nn.functional.normalize(wanted.quats, dim=1).numpy()
    assert len(cloud) == len(wanted.means) > 200
    np.testing.assert_allclose(cloud.means, wanted.means.numpy(), atol=1e-6)
    np.testing.assert_allclose(cloud.scales, wanted.scales.numpy(), rtol=1e-5)
    np.testing.assert_allclose(cloud.opacities, wanted.opacities.numpy(), atol=1e-6)
    np.testing.assert_allclose(cloud.quats, quats, atol=1e-5)
    np.testing.assert_allclose(colors(cloud.sh, rays), wanted.colors.numpy(), atol=1e-5)


def test_neural_splats_of_one_camera_equal_gaussians_of_the_trainable_head(anchors):
    from pcgs_engine.model.attribute_head import AttributeHead

    torch.manual_seed(6)
    config = ModelConfig(head=Head.NEURAL)
    weights = AttributeHead(config, distance_unit=2.0).weights()
    camera = np.array([2.0, -1.0, 0.5], np.float32)
    cloud = to_splats(anchors, weights, config, camera[None])
    wanted = trainable_gaussians(anchors, weights, config, camera)
    # With one camera the fit has one observation, so only the direction (anchor for the head,
    # splat for the harmonics) can differ, and the ridge leaves a constant colour.
    rays = cloud.means - camera
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    assert len(cloud) == len(wanted.means) > 200
    np.testing.assert_allclose(cloud.scales, wanted.scales.numpy(), rtol=1e-5)
    np.testing.assert_allclose(cloud.opacities, wanted.opacities.numpy(), atol=1e-6)
    np.testing.assert_allclose(colors(cloud.sh, rays), wanted.colors.numpy(), atol=1e-5)
