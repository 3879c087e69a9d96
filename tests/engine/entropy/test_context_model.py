"""Context model in float64: hash grid rules, steps, and independence of batch and threads."""

import numpy as np
import pytest
from synthetic_model import synthetic_model

from pcgs_engine.config import HashGridConfig
from pcgs_engine.entropy.context_model import STEP_FLOOR
from pcgs_engine.entropy.hash_features import grid_entries, grid_levels, hash_features
from pcgs_engine.entropy.weights import HashGridWeights

CONFIG = HashGridConfig(
    features_per_level=2,
    resolutions_3d=(6, 40),
    log2_table_3d=9,
    resolutions_2d=(12,),
    log2_table_2d=8,
)


def grid(seed=0):
    rng = np.random.default_rng(seed)
    signs = rng.choice(np.array([-1, 1], dtype=np.int8), (grid_entries(CONFIG), 2))
    low, high = np.array([-1, -2, 0], np.float32), np.array([1, 2, 4], np.float32)
    return HashGridWeights(config=CONFIG, signs=signs, box_min=low, box_max=high)


def plain_features(weights, position):
    """The rules of docs/design.md, one vertex at a time."""
    low, high = weights.box_min.astype(float), weights.box_max.astype(float)
    unit = (position - low) / (high - low)
    result = []
    for level in grid_levels(weights.config):
        total, weight_sum = np.zeros(2), 0.0
        place = unit[list(level.axes)] * (level.resolution - 2) + 0.5
        for corner in np.ndindex(*(2,) * len(level.axes)):
            vertex = np.floor(place).astype(int) + corner
            if (vertex <= 0).any() or (vertex >= level.resolution - 1).any():
                continue
            fraction = place - np.floor(place)
            weight = np.prod(np.where(np.array(corner) == 1, fraction, 1 - fraction))
            if level.resolution ** len(vertex) <= level.entries:
                row = sum(int(v) * level.resolution**i for i, v in enumerate(vertex))
            else:
                row = 0
                for v, prime in zip(vertex, (1, 2654435761, 805459861), strict=False):
                    row ^= int(v) * prime
                row = row % 2**32 % level.entries
            total += weight * weights.signs[level.start + row]
            weight_sum += weight
        inside = ((unit >= 0) & (unit <= 1)).all() and weight_sum > 0
        result.append(total / weight_sum if inside else np.zeros(2))
    return np.concatenate(result)


def test_hash_features_match_plain_rules():
    weights = grid()
    positions = np.random.default_rng(1).uniform(-2.2, 4.2, (200, 3))
    positions[0], positions[1] = weights.box_min, weights.box_max
    found = hash_features(weights, positions)
    wanted = np.array([plain_features(weights, p) for p in positions])
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    assert (np.abs(found).sum(axis=1) > 0).any()


def test_hash_features_outside_box_are_zero():
    assert not hash_features(grid(), np.array([[0.0, 0.0, 4.1], [9.0, 0.0, 1.0]])).any()


def test_grid_entries_small_levels_are_dense_and_rounded():
    first, second, *planes = grid_levels(CONFIG)
    assert (first.entries, first.dense) == (216, True)
    assert (second.entries, second.dense) == (512, False)
    assert [p.axes for p in planes] == [(0, 1), (0, 2), (1, 2)]
    assert planes[-1].start + planes[-1].entries == grid_entries(CONFIG)


@pytest.mark.parametrize("bias", [-40.0, 0.0, 40.0])
def test_steps_saturated_adjustment_stays_between_floor_and_double(bias, model_of):
    model = model_of(bias)
    steps = model.steps(np.zeros((3, 3)))
    ratio = steps.feature / model.config.feature_step
    wanted = {-40.0: STEP_FLOOR, 0.0: 1.0, 40.0: 2.0}[bias]
    np.testing.assert_allclose(ratio, wanted, rtol=1e-9)
    np.testing.assert_allclose(steps.scaling, wanted * model.voxel_size, rtol=1e-9)


@pytest.fixture
def model_of():
    from dataclasses import replace

    from pcgs_engine.entropy.context_model import ContextModel
    from pcgs_engine.entropy.weights import Dense

    def build(bias):
        coded = synthetic_model(10)
        width = coded.config.context.step_hidden
        out = Dense(
            weight=np.zeros((3, width), dtype=np.float32), bias=np.full(3, bias, np.float32)
        )
        return ContextModel(
            config=coded.config,
            voxel_size=coded.voxel_size,
            hash_grid=coded.hash_grid,
            context=replace(coded.context, step_out=out),
        )

    return build


def test_context_model_rows_alone_agree_with_batch(model_of):
    model = model_of(0.0)
    positions = np.random.default_rng(0).normal(0, 0.2, (50, 3))
    whole = model.anchor_context(positions)
    single = model.anchor_context(positions[7:8])
    np.testing.assert_allclose(
        model.hash_net(whole, 2).feature[7:8], model.hash_net(single, 2).feature, atol=1e-12
    )
    coarse = np.ones((50, model.config.feature_dim))
    logits = model.feature_trit_logits(whole, coarse, 2)
    assert logits.shape == (50, model.config.feature_dim, 3)
    np.testing.assert_allclose(
        logits[7:8], model.feature_trit_logits(single, coarse[:1], 2), atol=1e-12
    )
