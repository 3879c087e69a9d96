"""Deferral: who waits for level 2, and that nothing else changes in the file."""

import dataclasses

import numpy as np
import pytest
import torch

from pcgs_engine.codec import encode_chunks
from pcgs_engine.codec.decoder import ProgressiveDecoder
from pcgs_engine.levels import split_levels
from pcgs_engine.levels.defer_anchors import choose_deferred, measure_presence
from pcgs_engine.model.derive import derive_gaussians
from pcgs_engine.model.masks import gaussian_mask
from pcgs_engine.render.cpu_backend import CpuRasterizer
from pcgs_engine.sample import sample_path
from pcgs_engine.scene.load_scene import load_scene

SHARE = 0.25
BLACK = (0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def drawing():
    scene = load_scene(sample_path(), max_size=64)
    return [view.camera for view in scene.train_views][:4], CpuRasterizer(threads=1)


def choice(model, drawing, share):
    cameras, rasterizer = drawing
    return choose_deferred(model, cameras, share=share, rasterizer=rasterizer, background=BLACK)


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
    order = np.argsort(presence)
    rows = order[np.linspace(len(order) // 2, len(order) - 1, 16).astype(int)]
    changes = []
    for row in rows:
        without = mask.clone()
        without[row] = False
        changes.append(float((images(model, drawing, without) - whole).square().mean()))
    ranks = np.argsort(np.argsort(changes))
    assert np.corrcoef(ranks, np.arange(len(rows)))[0, 1] > 0.9
    ratios = np.array(changes) / presence[rows]
    assert 0.8 < np.median(ratios) < 2.4  # to first order only: opaque ones change more


def test_the_choice_beats_chance(tiny_run, drawing):
    """The same number of other anchors, at random, changes the pictures much more."""
    model = tiny_run.model
    mask = gaussian_mask(model.anchors.mask_logits, 1)
    waits = choice(model, drawing, SHARE)
    there = mask.any(dim=1).numpy()
    assert waits.sum() == int(SHARE * there.sum())
    assert not (waits & ~there).any()
    whole = images(model, drawing, mask)
    other = np.zeros_like(waits)
    picked = np.random.default_rng(0).permutation(np.flatnonzero(there))[: waits.sum()]
    other[picked] = True
    errors = [
        float(
            (images(model, drawing, mask & ~torch.from_numpy(w)[:, None]) - whole).square().mean()
        )
        for w in (waits, other)
    ]
    assert errors[0] < 0.2 * errors[1]


@pytest.mark.parametrize(("share", "left"), [(0.0, None), (1.0, 1)])
def test_none_or_all_but_one_may_wait(tiny_run, drawing, share, left):
    waits = choice(tiny_run.model, drawing, share)
    there = gaussian_mask(tiny_run.model.anchors.mask_logits, 1).any(dim=1).numpy()
    assert (there & ~waits).sum() == (there.sum() if left is None else left)


def test_only_level_1_changes(tiny_run, drawing):
    """Later levels hold the same anchors and Gaussians, found by position."""
    waits = choice(tiny_run.model, drawing, SHARE)
    plain, deferred = (decoded(split_levels(tiny_run.model, None, w)) for w in (None, waits))
    counts = [len(d.anchors(1).positions) for d in (plain, deferred)]
    assert counts[1] == counts[0] - waits.sum()
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
    everyone = np.ones(len(single.anchors), dtype=np.bool_)
    assert len(split_levels(single, None, everyone).anchors.positions) > 0


def decoded(coded):
    decoder = ProgressiveDecoder()
    decoder.feed(encode_chunks(coded).to_bytes({}))
    decoder.finish()
    return decoder
