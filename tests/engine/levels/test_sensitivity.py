"""Sensitivities: what pictures really do when a value moves, on a real small training."""

import sys

import numpy as np
import pytest
import torch

from pcgs_engine.levels import Sensitivity, measure_sensitivity, split_levels
from pcgs_engine.model.derive import derive_gaussians
from pcgs_engine.model.masks import gaussian_mask
from pcgs_engine.render.cpu_backend import CpuRasterizer
from pcgs_engine.sample import sample_path
from pcgs_engine.scene.load_scene import load_scene

BLACK = (0.0, 0.0, 0.0)
SPLITTING = sys.modules["pcgs_engine.levels.split_levels"]


@pytest.fixture(scope="module")
def rasterizer():
    return CpuRasterizer(threads=1)


@pytest.fixture(scope="module")
def cameras():
    scene = load_scene(sample_path(), max_size=64)
    return [view.camera for view in scene.train_views][:4]


@torch.no_grad()
def images(model, cameras, rasterizer, feature, scaling):
    anchors = model.anchors
    mask = gaussian_mask(anchors.mask_logits, model.config.model.num_levels)
    found = []
    for camera in cameras:
        rows = mask.any(dim=1).nonzero(as_tuple=True)[0]
        centre = torch.as_tensor(camera.centre, dtype=torch.float32)
        derived = derive_gaussians(
            model.head, anchors.positions[rows], feature[rows], scaling[rows],
            anchors.offsets[rows], mask[rows], centre, pool=rasterizer.pool,
        )  # fmt: skip
        image = rasterizer.render(derived.gaussians, camera, background=torch.zeros(3)).image
        found.append(image.double())
    return torch.stack(found)


def measured(model, cameras, rasterizer, **options):
    return measure_sensitivity(model, cameras, rasterizer=rasterizer, background=BLACK, **options)


@pytest.fixture(scope="module")
def averaged(tiny_run, cameras, rasterizer):
    """Many random signs: little noise is left."""
    runs = [measured(tiny_run.model, cameras, rasterizer, seed=s) for s in range(24)]
    return Sensitivity(
        feature=np.mean([r.feature for r in runs], axis=0),
        scaling=np.mean([r.scaling for r in runs], axis=0),
    )


@pytest.mark.parametrize(("name", "share"), [("feature", 0.02), ("scaling", 0.01)])
def test_sensitivity_agrees_with_finite_differences(
    tiny_run, cameras, rasterizer, averaged, name, share
):
    model = tiny_run.model
    values = {
        "feature": model.anchors.feature.detach(), "scaling": model.anchors.scaling.detach()
    }  # fmt: skip
    found = getattr(averaged, name)
    places = np.argsort(-found.ravel())[:400:16]
    ratios = []
    for place in places:
        row, column = divmod(int(place), found.shape[1])
        delta = share * float(values[name].abs().mean() if name == "feature"
                              else values[name][row, column])  # fmt: skip
        moved = []
        for sign in (-1, 1):
            changed = {key: value.clone() for key, value in values.items()}
            changed[name][row, column] += sign * delta
            moved.append(images(model, cameras, rasterizer, **changed))
        slope = (moved[1] - moved[0]) / (2 * delta)
        ratios.append(float(slope.square().mean()) / found[row, column])
    # One estimate of 24 signs still scatters; steps across visibility bounds add to it.
    assert 0.7 < np.median(ratios) < 1.4
    assert 0.6 < np.exp(np.mean(np.log(ratios))) < 1.7


def test_sensitivity_is_deterministic_and_depends_on_the_seed(tiny_run, cameras, rasterizer):
    one, two, other = (
        measured(tiny_run.model, cameras, rasterizer, seed=seed) for seed in (0, 0, 1)
    )
    for name in ("feature", "scaling"):
        assert np.array_equal(getattr(one, name), getattr(two, name))
        assert not np.array_equal(getattr(one, name), getattr(other, name))
        assert (getattr(one, name) >= 0).all()


def test_sensitivity_of_unseen_anchors_is_zero(tiny_run, cameras, rasterizer):
    model, camera = tiny_run.model, cameras[0]
    anchors = model.anchors
    found = measured(model, [camera], rasterizer)
    mask = gaussian_mask(anchors.mask_logits, 3)
    with torch.no_grad():
        state = (anchors.positions, anchors.scaling, anchors.offsets)
    seen = torch.zeros(len(anchors), dtype=torch.bool)
    seen[rasterizer.anchors_in_view(camera, *state, mask)] = True
    assert 0 < int(seen.sum()) < len(seen)
    assert not found.feature[~seen.numpy()].any()
    assert not found.scaling[~seen.numpy()].any()
    assert found.feature[seen.numpy()].any()
    nothing = measured(model, [], rasterizer)
    assert not nothing.feature.any()


def test_sensitivity_leaves_the_model_and_its_gradients(tiny_run, cameras, rasterizer):
    model = tiny_run.model
    before = model.anchors.feature.detach().clone()
    measured(model, cameras[:1], rasterizer)
    assert torch.equal(model.anchors.feature, before)
    assert all(p.grad is None or not p.grad.any() for p in model.head.parameters())


def test_split_levels_weighs_refinements_by_sensitivity(tiny_run, averaged, monkeypatch):
    monkeypatch.setattr(SPLITTING, "fit_mask_net", lambda *_, **__: None)
    plain, weighed = split_levels(tiny_run.model), split_levels(tiny_run.model, averaged)
    assert np.array_equal(plain.anchors.features, weighed.anchors.features)
    assert not np.array_equal(plain.ranking.rank, weighed.ranking.rank)
    zero = Sensitivity(feature=averaged.feature * 0, scaling=averaged.scaling)
    gain = split_levels(tiny_run.model, zero).ranking.gain
    assert not gain[:, : plain.config.feature_dim].any()
    assert gain[:, plain.config.feature_dim :].any()
