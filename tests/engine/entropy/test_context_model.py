"""Context model in float64: steps, and independence of batch and threads."""

import numpy as np
import pytest
from synthetic_model import synthetic_model

from pcgs_engine.entropy.context_model import STEP_FLOOR


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
