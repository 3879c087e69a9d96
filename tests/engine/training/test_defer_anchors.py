"""Deferral: who waits for level 2, that nothing else changes, and that it happens once."""

import dataclasses

import numpy as np
import pytest
import torch

from pcgs_engine.config import Preset, preset_config
from pcgs_engine.model.derive import derive_gaussians
from pcgs_engine.model.masks import gaussian_mask
from pcgs_engine.render.cpu_backend import CpuRasterizer
from pcgs_engine.sample import sample_path
from pcgs_engine.scene.image_store import ImageStore
from pcgs_engine.scene.load_scene import load_scene
from pcgs_engine.training.checkpoint import load_checkpoint, save_checkpoint
from pcgs_engine.training.defer_anchors import deferred_logits, measure_presence
from pcgs_engine.training.schedule import Clock
from pcgs_engine.training.trainer import Trainer
from pcgs_engine.training.view_sampler import ViewSampler

SHARE = 0.25


@pytest.fixture(scope="module")
def scene():
    return load_scene(sample_path(), max_size=64)


def build_trainer(scene, share=SHARE):
    config = preset_config(Preset.PREVIEW)
    rate = dataclasses.replace(config.training.rate, deferred_share=share, deferral_start=0.85)
    training = dataclasses.replace(config.training, rate=rate)
    return Trainer(
        scene, dataclasses.replace(config, training=training), CpuRasterizer(1), threads=1
    )


def iterate(trainer, scene, progress, times=1):
    views = ViewSampler(scene, ImageStore(scene.background), trainer.device)
    clock = Clock(iterations=100_000, time_limit=None, progress=progress)
    for _ in range(times):
        trainer.iterate(views.draw(trainer.order_generator), clock)


def anchors_of(trainer, level):
    return int(gaussian_mask(trainer.anchors.mask_logits, level).any(dim=1).sum())


def presence_of(trainer, scene):
    return measure_presence(
        trainer.anchors, trainer.head, [view.camera for view in scene.train_views],
        rasterizer=trainer.rasterizer, background=trainer.background, generator=trainer.generator,
    )  # fmt: skip


@pytest.mark.parametrize("levels", [2, 3])
def test_the_least_worth_their_bits_lose_level_1_and_nothing_else(levels):
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(400, 5, levels, generator=random) * 2 - 3
    presence = torch.rand(400, generator=random)
    found = deferred_logits(logits, presence, SHARE)
    for level in range(2, levels + 1):
        assert torch.equal(gaussian_mask(found, level), gaussian_mask(logits, level))
    before, after = (gaussian_mask(x, 1).any(dim=1) for x in (logits, found))
    assert int(after.sum()) == int(before.sum()) - int(SHARE * int(before.sum()))
    worth = presence / (70.0 + 13.0 * gaussian_mask(logits, 1).sum(dim=1))
    assert float(worth[before & ~after].max()) <= float(worth[after].min())
    assert torch.equal(gaussian_mask(found, 1)[after], gaussian_mask(logits, 1)[after])
    assert not (after & ~before).any()


def test_presence_ranks_anchors_by_what_their_removal_changes(scene):
    trainer = build_trainer(scene)
    presence = presence_of(trainer, scene)
    order = torch.argsort(presence)
    rows = order[torch.linspace(len(order) // 4, len(order) - 1, 16).long()]
    whole = pictures(trainer, scene)
    changes = []
    for row in rows:
        kept = trainer.anchors.mask_logits.detach().clone()
        trainer.anchors.mask_logits.data[row, :, 0] = -20.0
        changes.append(float((pictures(trainer, scene) - whole).square().sum()))
        trainer.anchors.mask_logits.data.copy_(kept)
    ranks = np.argsort(np.argsort(changes))
    assert np.corrcoef(ranks, np.arange(len(rows)))[0, 1] > 0.8
    unseen = presence == 0
    trainer.anchors.mask_logits.data[rows[-1], :, 0] = -20.0
    assert presence_of(trainer, scene)[rows[-1]] == 0
    assert not unseen[rows[-1]]


@torch.no_grad()
def pictures(trainer, scene):
    anchors, drawn = trainer.anchors, []
    for view in scene.train_views:
        centre = torch.as_tensor(view.camera.centre, dtype=torch.float32)
        derived = derive_gaussians(
            trainer.head, anchors.positions, anchors.feature, anchors.scaling, anchors.offsets,
            gaussian_mask(anchors.mask_logits, 1), centre,
        )  # fmt: skip
        drawn.append(
            trainer.rasterizer.render(
                derived.gaussians, view.camera, background=trainer.background
            ).image
        )
    return torch.stack(drawn)


def test_training_defers_once_and_a_resumed_run_not_again(scene, tmp_path):
    trainer = build_trainer(scene)
    iterate(trainer, scene, progress=0.84)
    counts = [anchors_of(trainer, level) for level in (1, 2)]
    iterate(trainer, scene, progress=0.86)
    assert anchors_of(trainer, 1) == counts[0] - int(SHARE * counts[0])
    assert anchors_of(trainer, 2) == counts[1]
    left = anchors_of(trainer, 1)
    clock = Clock(iterations=100_000, time_limit=None, progress=0.86)
    save_checkpoint(tmp_path, trainer, clock, torch.zeros(0, dtype=torch.int64))
    resumed = build_trainer(scene)
    load_checkpoint(tmp_path, resumed, clock)
    for run in (trainer, resumed):
        iterate(run, scene, progress=0.9, times=3)
        assert anchors_of(run, 1) == pytest.approx(left, rel=0.01)  # masks go on learning


def test_without_a_share_nothing_waits(scene):
    trainer = build_trainer(scene, share=0.0)
    iterate(trainer, scene, progress=0.84)
    count = anchors_of(trainer, 1)
    iterate(trainer, scene, progress=0.86)
    assert anchors_of(trainer, 1) == pytest.approx(count, rel=0.01)
