"""Deferral: who waits for level 2, and that nothing else changes in the file."""

import dataclasses

import numpy as np
import pytest
import torch

from pcgs_engine.codec import encode_chunks
from pcgs_engine.codec.decoder import ProgressiveDecoder
from pcgs_engine.levels import split_levels
from pcgs_engine.levels.defer_anchors import MOST_DEFERRED, deferral_order
from pcgs_engine.levels.presence import measure_presence
from pcgs_engine.model.derive import derive_gaussians
from pcgs_engine.model.masks import gaussian_mask
from pcgs_engine.render.cpu_backend import CpuRasterizer
from pcgs_engine.sample import sample_path
from pcgs_engine.scene.load_scene import load_scene

BLACK = (0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def drawing():
    scene = load_scene(sample_path(), max_size=64)
    return [view.camera for view in scene.train_views][:4], CpuRasterizer(threads=1)


@pytest.fixture(scope="module")
def order(tiny_run, drawing):
    cameras, rasterizer = drawing
    return deferral_order(tiny_run.model, cameras, rasterizer=rasterizer, background=BLACK)


def without(mask, rows):
    found = mask.clone()
    found[rows] = False
    return found


@torch.no_grad()
def images(model, drawing, mask):
    anchors, (cameras, rasterizer) = model.anchors, drawing
    found = []
    for camera in cameras:
        centre = torch.as_tensor(camera.centre, dtype=torch.float32)
        derived = derive_gaussians(
            model.head, anchors.positions, anchors.feature, anchors.scaling, anchors.offsets, mask,
            centre,
        )  # fmt: skip
        image = rasterizer.render(derived.gaussians, camera, background=torch.zeros(3)).image
        found.append(image.double())
    return torch.stack(found)


def test_presence_is_what_removal_changes(tiny_run, drawing):
    model, (cameras, rasterizer) = tiny_run.model, drawing
    mask = gaussian_mask(model.anchors.mask_logits, 1)
    runs = [
        measure_presence(model, cameras, mask, rasterizer=rasterizer, background=BLACK,
                         generator=torch.Generator().manual_seed(seed))
        for seed in range(16)
    ]  # fmt: skip
    presence = np.mean(runs, axis=0)
    assert (presence[~mask.any(dim=1).numpy()] == 0).all()
    whole = images(model, drawing, mask)
    order = np.argsort(presence)[np.count_nonzero(presence == 0) :]  # those that are seen at all
    assert len(order) > 100
    rows = order[np.linspace(0, len(order) - 1, 32).astype(int)]
    changes = []
    for row in rows:
        changed = images(model, drawing, without(mask, row)) - whole
        changes.append(float(changed.square().mean()))
    ranks = np.argsort(np.argsort(changes))
    assert np.corrcoef(ranks, np.arange(len(rows)))[0, 1] > 0.9
    ratios = np.array(changes) / presence[rows]
    assert 0.8 < np.median(ratios) < 2.4  # to first order only: opaque ones change more


def test_order_holds_anchors_of_level_1_once_and_not_all(tiny_run, order):
    there = gaussian_mask(tiny_run.model.anchors.mask_logits, 1).any(dim=1).numpy()
    assert len(order) == int(MOST_DEFERRED * there.sum()) > 0
    assert len(np.unique(order)) == len(order)
    assert there[order].all()


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_the_first_of_the_order_change_less_than_others(tiny_run, drawing, order, share):
    """As many other anchors, picked at random, change the pictures much more."""
    model = tiny_run.model
    mask = gaussian_mask(model.anchors.mask_logits, 1)
    first = order[: int(share * len(order))]
    whole = images(model, drawing, mask)
    there = np.flatnonzero(mask.any(dim=1).numpy())
    other = np.random.default_rng(0).permutation(there)[: len(first)]
    errors = [
        float((images(model, drawing, without(mask, rows)) - whole).square().mean())
        for rows in (first, other)
    ]
    assert errors[0] < 0.2 * errors[1]


def test_only_level_1_changes(tiny_run, order):
    """Later levels hold the same anchors and Gaussians, found by position."""
    waits = order[: len(order) // 2]
    plain, deferred = (decoded(split_levels(tiny_run.model, None, w)) for w in (None, waits))
    counts = [len(d.anchors(1).positions) for d in (plain, deferred)]
    assert counts[1] == counts[0] - len(waits)
    for level in range(2, plain.config.num_levels + 1):
        one, two = (d.anchors(level) for d in (plain, deferred))
        rows, others = (np.lexsort(a.positions.T) for a in (one, two))
        assert np.array_equal(one.positions[rows], two.positions[others])
        assert np.array_equal(one.gaussian_mask[rows], two.gaussian_mask[others])
        hidden = [~a.gaussian_mask[r][..., None] for a, r in ((one, rows), (two, others))]
        offsets = [np.where(h, 0, a.offsets[r])
                   for h, a, r in zip(hidden, (one, two), (rows, others), strict=True)]  # fmt: skip
        assert np.array_equal(*offsets)


def test_a_model_of_one_level_has_nothing_to_wait_for(tiny_run):
    config = tiny_run.model.config
    single = dataclasses.replace(
        tiny_run.model,
        config=dataclasses.replace(
            config,
            model=dataclasses.replace(config.model, num_levels=1),
            training=dataclasses.replace(
                config.training, rate=dataclasses.replace(config.training.rate, weights=(1e-3,))
            ),
        ),
    )
    everyone = np.arange(len(single.anchors))
    assert len(split_levels(single, None, everyone).anchors.positions) > 0


def decoded(coded):
    decoder = ProgressiveDecoder()
    decoder.feed(encode_chunks(coded).to_bytes({}))
    decoder.finish()
    return decoder
