"""Splitting a trained model into levels: rules of docs/design.md, Quantization."""

import numpy as np
import pytest
import torch

from pcgs_engine.config import RunConfig, config_from_dict, config_to_dict, preset_config
from pcgs_engine.config.presets import Preset
from pcgs_engine.errors import ModelMismatchError
from pcgs_engine.levels import split_levels
from pcgs_engine.model.anchors import Anchors
from pcgs_engine.model.attribute_head import AttributeHead
from pcgs_engine.model.context_network import ContextNetwork
from pcgs_engine.model.hash_grid import HashGrid
from pcgs_engine.model.trained_model import TrainedModel

COUNT = 300


@pytest.fixture
def model() -> TrainedModel:
    data = config_to_dict(preset_config(Preset.PREVIEW))
    data["model"] |= {"feature_dim": 10, "num_offsets": 3}
    config = config_from_dict(RunConfig, data)
    torch.manual_seed(0)
    lattice = torch.unique(torch.randint(-200, 200, (COUNT, 3), dtype=torch.int32), dim=0)
    count = len(lattice)
    anchors = Anchors(
        lattice=lattice[torch.randperm(count)],
        voxel_size=0.0078125,
        feature=4.0 * torch.randn(count, 10),
        log_scaling=torch.randn(count, 6) - 3.0,
        offsets=torch.randn(count, 3, 3),
        mask_logits=6.0 * torch.randn(count, 3, 3) - 6.0,
    )
    box = torch.full((3,), 2.0)
    grid = HashGrid(
        config.model.hash_grid, -box, box, pool=None, generator=torch.Generator().manual_seed(0)
    )
    return TrainedModel(
        config=config,
        anchors=anchors,
        head=AttributeHead(config.model, distance_unit=2.0),
        hash_grid=grid,
        context=ContextNetwork(config.model, voxel_size=anchors.voxel_size),
        camera_centres=np.zeros((1, 3), np.float32),
    )


def test_split_levels_masks_never_shrink_and_every_anchor_is_new_once(model):
    levels = split_levels(model).levels
    total, before = 0, None
    for level in levels:
        assert len(level.gaussian_mask) == total + len(level.positions)
        assert level.gaussian_mask[total:].any(axis=1).all()
        if before is not None:
            assert not (before & ~level.gaussian_mask[:total]).any()
        total += len(level.positions)
        before = level.gaussian_mask
    assert 0 < len(levels[0].positions) < total <= len(model.anchors)


def test_split_levels_reconstruction_error_falls_by_three_per_level(model):
    coded = split_levels(model)
    lookup = {tuple(p): i for i, p in enumerate(model.anchors.lattice.tolist())}
    rows = [lookup[tuple(p)] for level in coded.levels for p in level.positions.tolist()]
    feature = model.anchors.feature.numpy()[rows]
    index = np.zeros((0, feature.shape[1]), np.int64)
    first = len(coded.levels[0].positions)
    errors = []
    for level in coded.levels:
        index = np.concatenate([3 * index + level.feature_trits.astype(int) - 1, level.features])
        # untrained step heads stay close to the base step
        step = coded.config.feature_step / 3 ** (level.level - 1)
        errors.append(np.abs(index[:first] * step - feature[:first]).mean())
    assert errors[1] < 0.6 * errors[0]
    assert errors[2] < 0.9 * errors[1]


def test_split_levels_offsets_cover_exactly_the_fresh_gaussians(model):
    before = np.zeros((0, 3), bool)
    for level in split_levels(model).levels:
        fresh = level.gaussian_mask.copy()
        fresh[: len(before)] &= ~before
        assert len(level.offsets) == fresh.sum()
        before = level.gaussian_mask


def test_split_levels_tiny_scaling_stays_at_zero_through_all_levels(model):
    model.anchors.log_scaling[:] = -20.0
    for level in split_levels(model).levels:
        assert (level.scaling == 0).all()
        assert (level.scaling_trits == 1).all()


def test_split_levels_without_anchors_at_level_one_raises(model):
    model.anchors.mask_logits[..., 0] = -20.0
    with pytest.raises(ModelMismatchError, match="level 1"):
        split_levels(model)


def test_split_levels_of_a_diverged_training_raises(model):
    model.anchors.feature[3, :2] = float("nan")
    with pytest.raises(ModelMismatchError, match="2 values of feature are not finite"):
        split_levels(model)
