"""Pruning by presence: who is judged unmissed, that pictures agree, and that a run does it."""

import dataclasses
import json

import pytest
import torch
from tiny_training import tiny_config, train_tiny

from pcgs_engine.config import PruningConfig, config_from_dict
from pcgs_engine.errors import ConfigError
from pcgs_engine.model.masks import gaussian_mask, leave_levels
from pcgs_engine.render.cpu_backend import CpuRasterizer
from pcgs_engine.sample import sample_path
from pcgs_engine.scene.image_store import ImageStore
from pcgs_engine.scene.load_scene import load_scene
from pcgs_engine.splats.anchor_set import AnchorSet
from pcgs_engine.training.evaluate import LevelRenderer
from pcgs_engine.training.pruning import (
    MOST_ERROR,
    Presence,
    judge_levels,
    measure_gaussians,
    unmissed,
)
from pcgs_engine.training.trainer import Trainer
from pcgs_engine.training.view_sampler import evenly


@pytest.fixture(scope="module")
def scene():
    return load_scene(sample_path(), max_size=64)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model that nobody has pruned yet."""
    config = tiny_config(pruning={"moments": []})
    return train_tiny(tmp_path_factory.mktemp("unpruned"), config=config).model


@pytest.fixture(scope="module")
def presence(scene, model):
    return measured(scene, model)


def measured(scene, model):
    return measure_gaussians(
        model, scene.train_views[:6], ImageStore(scene.background),
        level=model.config.model.num_levels, rasterizer=CpuRasterizer(threads=1),
        background=torch.zeros(3), seed=0,
    )  # fmt: skip


def nothing_kept(presence):
    return torch.zeros_like(presence.mask)


def pictures(scene, model, mask):
    anchors = model.anchors
    found = AnchorSet(
        level=1,
        positions=anchors.positions.numpy(),
        features=anchors.feature.detach().numpy(),
        scaling=anchors.scaling.detach().numpy(),
        offsets=anchors.offsets.detach().numpy(),
        gaussian_mask=mask.numpy(),
    )
    renderer = LevelRenderer(
        found, model.head, rasterizer=CpuRasterizer(threads=1), background=(0.0, 0.0, 0.0)
    )
    return torch.stack([renderer.render(v.camera).double() for v in scene.train_views[:6]])


def test_those_least_missed_change_pictures_little_and_others_much(scene, model, presence):
    whole = pictures(scene, model, presence.mask)
    sorted_changes = presence.change[presence.mask].sort().values
    fifth = int(0.2 * len(sorted_changes))
    budget = float(sorted_changes[:fifth].sum())
    gone = unmissed(presence, budget / min(presence.error, MOST_ERROR), nothing_kept(presence))
    assert 0.9 * fifth < int(gone.sum()) <= fifth  # by bits saved, so not quite the most
    assert not (gone & ~presence.mask).any()
    there = presence.mask.reshape(-1).nonzero(as_tuple=True)[0]
    other = torch.zeros_like(gone)
    chosen = torch.randperm(len(there), generator=torch.Generator().manual_seed(0))
    other.view(-1)[there[chosen[: int(gone.sum())]]] = True
    changes = [
        float((pictures(scene, model, presence.mask & ~leave) - whole).square().mean())
        for leave in (gone, other)
    ]
    assert changes[0] < 0.1 * presence.error
    assert changes[0] < 0.2 * changes[1]


def test_error_is_that_of_pictures_against_photographs(scene, model, presence):
    store = ImageStore(scene.background)
    photographs = torch.stack(
        [torch.from_numpy(store.load(view).rgb) / 255.0 for view in scene.train_views[:6]]
    )
    whole = pictures(scene, model, presence.mask)
    assert presence.error == pytest.approx(float((whole - photographs).square().mean()), rel=0.1)


def test_unmissed_takes_the_cheapest_as_long_as_their_sum_is_below_the_budget():
    mask = torch.tensor([[True, True, True, True], [True, True, False, True]])
    change = 1e-4 * torch.tensor([[0.0, 9.0, 0.1, 9.0], [0.15, 0.1, 0.0, 0.15]])
    presence = Presence(mask=mask, change=change, error=1e-4)
    # the second anchor as a whole (0.4) is cheaper by the bit than 0.1 of the first alone
    expected = torch.tensor([[True, False, False, False], [True, True, False, True]])
    assert torch.equal(unmissed(presence, 0.45, nothing_kept(presence)), expected)
    expected[0, 2] = True
    assert torch.equal(unmissed(presence, 0.55, nothing_kept(presence)), expected)
    assert torch.equal(unmissed(presence, 0.0, nothing_kept(presence)), torch.zeros_like(mask))


def test_errors_that_no_model_can_mend_are_no_excuse():
    mask = torch.ones(1, 4, dtype=torch.bool)
    change = torch.tensor([[1e-5, 2e-5, 4e-5, 8e-5]])
    kept = torch.zeros_like(mask)
    gone = [
        int(unmissed(Presence(mask=mask, change=change, error=error), 0.1, kept).sum())
        for error in (2e-4, MOST_ERROR, 1e-2)
    ]
    assert gone == [1, 2, 2]


def test_unmissed_takes_four_fifths_at_most():
    mask = torch.ones(5, 2, dtype=torch.bool)
    change = 1e-9 * torch.arange(10.0).view(5, 2)
    presence = Presence(mask=mask, change=change, error=1e-4)
    assert torch.equal(unmissed(presence, 1.0, nothing_kept(presence)), change < 7.5e-9)


def test_what_an_earlier_level_keeps_stays_and_its_anchor_is_no_bargain():
    mask = torch.ones(2, 3, dtype=torch.bool)
    change = 1e-5 * torch.tensor([[1.0, 2.0, 9.0], [1.0, 2.0, 9.0]])
    presence = Presence(mask=mask, change=change, error=1e-4)
    kept = torch.tensor([[True, False, False], [False, False, False]])
    # by the bit: 1 of the second anchor, its other two with the anchor, then 2 of the first
    wanted = torch.tensor([[False, True, False], [True, True, True]])
    assert torch.equal(unmissed(presence, 1.45, kept), wanted)
    assert torch.equal(unmissed(presence, 1e3, mask), torch.zeros_like(mask))


def test_levels_are_judged_by_their_own_pictures_and_keep_what_earlier_ones_do(
    scene, model, monkeypatch
):
    judged = []

    def spy(presence, part, kept):
        gone = unmissed(presence, part, kept)
        judged.append((presence, part, kept.clone(), gone))
        return gone

    monkeypatch.setattr("pcgs_engine.training.pruning.unmissed", spy)
    logits = model.anchors.mask_logits.detach()
    leave = torch.randint(0, 3, logits.shape[:2], generator=torch.Generator().manual_seed(0))
    thinned = dataclasses.replace(
        model, anchors=dataclasses.replace(model.anchors, mask_logits=leave_levels(
            logits.flatten(0, 1), leave.flatten()).view_as(logits))
    )  # fmt: skip
    leaving = judge_levels(
        thinned, scene.train_views[:6], ImageStore(scene.background), parts=(0.3, 0.2, 0.1),
        rasterizer=CpuRasterizer(threads=1), background=torch.zeros(3), seed=0,
    )  # fmt: skip
    stays = torch.zeros_like(leave, dtype=torch.bool)
    for level, (presence, part, kept, gone) in enumerate(judged, start=1):
        assert part == (0.3, 0.2, 0.1)[level - 1]
        assert torch.equal(presence.mask, gaussian_mask(thinned.anchors.mask_logits, level))
        assert torch.equal(kept, stays)
        assert gone.any()
        stays = presence.mask & ~gone
        assert torch.equal(stays, leaving < level)
    first, last = judged[0][0], judged[-1][0]
    assert first.error > 1.2 * last.error
    assert float(first.change[first.mask].mean()) > 1.2 * float(last.change[first.mask].mean())


def test_views_are_at_most_64_and_spread_over_all():
    assert list(evenly(range(43), 64)) == list(range(43))
    assert list(evenly(range(65), 64)) == list(range(0, 65, 2))
    assert len(evenly(range(1000), 64)) == 63


def test_pruned_gaussians_leave_their_levels_and_anchors_of_none_go(scene):
    trainer = Trainer(scene, tiny_config(), CpuRasterizer(threads=1), 1)
    anchors = trainer.anchors
    count, levels = len(anchors), anchors.mask_logits.shape[2]
    leave = torch.zeros(anchors.mask_logits.shape[:2], dtype=torch.int64)
    leave[0] = levels  # a whole anchor
    leave[1, 0] = levels
    leave[2] = 1
    second = anchors.lattice[1].clone()
    trainer.prune(leave)
    assert len(trainer.anchors) == count - 1
    assert torch.equal(trainer.anchors.lattice[0], second)
    for level in range(1, levels + 1):
        mask = gaussian_mask(trainer.anchors.mask_logits, level)
        assert not mask[0, 0]
        assert mask[1].all() == (level > 1)
        assert mask[2:].all()


def test_a_run_prunes_once_at_each_of_its_moments(tmp_path, monkeypatch):
    judged = []

    def spy(presence, part, kept):
        judged.append(int(presence.mask.sum()))
        return unmissed(presence, part, kept)

    monkeypatch.setattr("pcgs_engine.training.pruning.unmissed", spy)
    pruning = {"moments": [0.55, 0.75], "first_error": 1e-3, "error": 1e-4}
    config = tiny_config(pruning=pruning)
    run = train_tiny(tmp_path, config=config)
    levels = run.model.config.model.num_levels
    assert len(judged) == 2 * levels
    assert all(later < earlier for earlier, later in zip(judged, judged[levels:], strict=False))
    counts = [
        int(gaussian_mask(run.model.anchors.mask_logits, level).sum())
        for level in range(1, levels + 1)
    ]
    assert 0 < counts[0] < counts[1] < counts[2] < judged[-1]


@pytest.mark.parametrize("moments", [(0.5, 0.5), (0.6, 0.5), (0.0, 0.5), (0.5, 1.0)])
def test_moments_that_do_not_rise_inside_the_run_are_refused(moments):
    with pytest.raises(ConfigError, match="moments"):
        PruningConfig(moments=moments)


def test_pruning_after_averaging_has_begun_is_refused():
    training = tiny_config().training
    with pytest.raises(ConfigError, match="averaging_start"):
        dataclasses.replace(training, pruning=PruningConfig(moments=(0.95,)))


def test_moments_are_read_from_json():
    data = json.loads('{"moments": [0.5, 0.6], "error": 0.05}')
    assert config_from_dict(PruningConfig, data) == PruningConfig(moments=(0.5, 0.6), error=0.05)


def test_errors_of_levels_fall_geometrically_and_a_single_level_has_the_last():
    pruning = PruningConfig(first_error=0.16, error=0.04)
    assert pruning.level_errors(3) == pytest.approx((0.16, 0.08, 0.04))
    assert pruning.level_errors(2) == pytest.approx((0.16, 0.04))
    assert pruning.level_errors(1) == pytest.approx((0.04,))
    with pytest.raises(ConfigError, match="error"):
        PruningConfig(first_error=0.04, error=0.05)
