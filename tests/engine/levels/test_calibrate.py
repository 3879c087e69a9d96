"""Float networks to integer ones: sums stay exact and constants stay what they were."""

from dataclasses import replace

import numpy as np
import pytest

from pcgs_engine.config import ContextConfig, HashGridConfig, ModelConfig
from pcgs_engine.entropy.bfloat16 import round_bfloat16
from pcgs_engine.entropy.exact_product import EXACT_SUM, numpy_product
from pcgs_engine.entropy.integer_net import INPUT_LIMIT, check_net, evaluate, quantize_inputs
from pcgs_engine.entropy.weights import Dense
from pcgs_engine.levels.calibrate import (
    CalibrationAnchors,
    _row_scale,
    calibrate_context,
    weight_limit,
)
from pcgs_engine.model.context_weights import ContextWeights

PAPER = ModelConfig(hash_grid=HashGridConfig(log2_table_3d=3, log2_table_2d=3))
UNIT = 0.25


def dense(rng, inputs, outputs, weights="random"):
    weight = rng.normal(0, inputs**-0.5, (outputs, inputs)).astype(np.float32)
    if weights == "alike":  # every weight of a row is its largest
        weight = np.where(weight < 0, -0.1, 0.1).astype(np.float32)
    return Dense(weight=weight, bias=rng.normal(0, 0.3, outputs).astype(np.float32))


def context_weights(config, rng, weights="random"):
    G, F, K = config.hash_grid.output_dim, config.feature_dim, config.num_offsets
    S, C, c = config.num_levels, config.chunk_dim, config.context
    chunks = range(c.feature_chunks)

    def gains(width):
        return rng.normal(0, 1, (S, width)).astype(np.float32)

    def layer(inputs, outputs):
        return dense(rng, inputs, outputs, weights)

    return ContextWeights(
        hash_hidden=layer(G, c.hash_hidden),
        hash_gain=gains(c.hash_hidden),
        hash_out=layer(c.hash_hidden, 3 * F + 12),
        step_hidden=layer(G, c.step_hidden),
        step_out=layer(c.step_hidden, 3),
        offset_hidden=layer(G, c.offset_hidden),
        offset_out=layer(c.offset_hidden, 6 * K),
        channel_hidden=tuple(layer(i * C + 3 * F, c.channel_hidden) for i in chunks),
        channel_out=tuple(layer(c.channel_hidden, 3 * C) for _ in chunks),
        feature_trit_hidden=layer(G + F, c.feature_trit_hidden),
        feature_trit_gain=gains(c.feature_trit_hidden),
        feature_trit_out=layer(c.feature_trit_hidden, 3 * F),
        scaling_trit_hidden=layer(G + 6, c.scaling_trit_hidden),
        scaling_trit_gain=gains(c.scaling_trit_hidden),
        scaling_trit_out=layer(c.scaling_trit_hidden, 18),
    )


def sample_of(config, rng, count=300):
    return CalibrationAnchors(
        hash_features=rng.integers(-512, 513, (count, config.hash_grid.output_dim)) / 512.0,
        features=rng.normal(0, 3, (count, config.feature_dim)),
        scaling=rng.exponential(1.0, (count, 6)),
    )


def nets_of(context):
    return [context.first, context.step, context.offset, *context.channels,
            context.feature_trits, context.scaling_trits]  # fmt: skip


@pytest.mark.parametrize("limit", [63, 127])
@pytest.mark.parametrize("weights", ["random", "alike"])
def test_sums_are_exact_for_the_papers_widths_whatever_the_weights(limit, weights):
    rng = np.random.default_rng(0)
    context = calibrate_context(
        context_weights(PAPER, rng, weights), PAPER, sample_of(PAPER, rng), UNIT, limit
    )
    assert context.channels[-1].hidden_weight.shape[1] == 190  # 127 * 1023 * 190 > 2**24
    for net in nets_of(context):
        check_net("net", net)
        for name in ("hidden_weight", "out_weight"):
            most = 127 if net is context.step else limit  # steps must be right: they scale all
            assert np.abs(getattr(net, name).astype(int)).max() <= most
        for scale in (net.multiplier, net.out_scale):
            assert np.array_equal(round_bfloat16(scale), scale)
        assert (net.out_scale > 0).all()


@pytest.mark.parametrize("bias", [0.0, 300.0, -1e6])
def test_rows_of_equal_weights_get_a_scale_at_which_sums_are_exact(bias):
    weight = np.where(np.random.default_rng(0).random((5, 190)) < 0.5, -1.0, 1.0)
    weight[1:] *= [[1e-3], [1e3], [0.99], [1.01]]
    assert 190 * 127 * INPUT_LIMIT > EXACT_SUM  # 8 bits are too many here
    scale = _row_scale(weight, np.full(5, bias), 127)
    stored = np.abs(np.rint(weight / scale[:, None])).sum(axis=1)
    most = stored * INPUT_LIMIT + np.abs(np.rint(bias / scale))
    assert most.max() <= EXACT_SUM
    if bias == 0.0:
        assert most.min() > 0.85 * EXACT_SUM


SMALL = ModelConfig(
    feature_dim=4,
    num_offsets=2,
    num_levels=3,
    hash_grid=HashGridConfig(
        features_per_level=2, resolutions_3d=(6,), log2_table_3d=3, resolutions_2d=(8,),
        log2_table_2d=3,
    ),
    context=ContextConfig(
        hash_hidden=16, step_hidden=8, offset_hidden=8, channel_hidden=8, feature_chunks=2,
        feature_trit_hidden=16, scaling_trit_hidden=8,
    ),
)  # fmt: skip


def float_net(hidden, out, inputs, gain, slope=0.0):
    units = (inputs @ hidden.weight.T.astype(float) + hidden.bias) * gain
    return np.where(units < 0, slope * units, units) @ out.weight.T.astype(float) + out.bias


def first_outputs(context, sample, level):
    inputs = np.rint(sample.hash_features * 512).astype(np.float32)
    return evaluate(context.first, inputs, level - 1, numpy_product, native=False)


def small_case(change=lambda w: w, limit=127):
    rng = np.random.default_rng(3)
    weights = change(context_weights(SMALL, rng))
    sample = sample_of(SMALL, rng)
    return weights, sample, calibrate_context(weights, SMALL, sample, UNIT, limit)


def worst_error(weights, sample, context, level):
    wanted = float_net(
        weights.hash_hidden, weights.hash_out, sample.hash_features, weights.hash_gain[level - 1]
    )
    wanted[:, 12:] *= UNIT
    spread = wanted.std(axis=0) + 1e-3
    return np.quantile(np.abs(first_outputs(context, sample, level) - wanted) / spread, 0.99)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_gains_of_both_signs_give_the_float_outputs_at_every_level(level):
    weights, sample, context = small_case()
    assert (weights.hash_gain < 0).any()
    assert worst_error(weights, sample, context, level) < 0.08


@pytest.mark.parametrize("gain", [0.0, -2.0, 100.0, 1e-3])
def test_gain_of_the_first_level_may_be_anything(gain):
    def change(weights):
        gains = weights.hash_gain.copy()
        gains[0] = gain
        return replace(weights, hash_gain=gains)

    weights, sample, context = small_case(change)
    # The level with the widest activations sets the unit: others may get coarse next to it.
    worst = {100.0: (1,), 0.0: (1, 2, 3), -2.0: (1, 2, 3), 1e-3: (2, 3)}[gain]
    for level in worst:
        assert worst_error(weights, sample, context, level) < 0.15


def test_coarser_weights_cost_precision_only():
    errors = [worst_error(*small_case(limit=limit), 1) for limit in (127, 63, 7)]
    assert errors[0] < errors[1] < errors[2] < 1.0


def test_outputs_of_bias_alone_keep_their_value():
    def change(weights):
        out = weights.hash_out
        weight, bias = out.weight.copy(), out.bias.copy()
        weight[:6], bias[:6] = 0.0, [-40.0, -1.0, 0.0, 0.3, 7.0, 2000.0]
        return replace(weights, hash_out=Dense(weight=weight, bias=bias))

    weights, sample, context = small_case(change)
    found = first_outputs(context, sample, 1)[:, :6]
    wanted = np.broadcast_to(weights.hash_out.bias[:6], found.shape)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-9)


def test_hidden_units_of_bias_alone_keep_their_value():
    def change(weights):
        hidden = weights.hash_hidden
        weight, bias = hidden.weight.copy(), hidden.bias.copy()
        weight[:4] = [[0.0], [1e-9], [-1e-7], [0.0]]
        bias[:4] = [1.0, 3.0, -2.0, 0.0]
        gains = np.abs(weights.hash_gain)
        dense = Dense(weight=weight, bias=bias)
        return replace(weights, hash_hidden=dense, hash_gain=gains)

    weights, sample, context = small_case(change)
    for level in (1, 2, 3):
        assert worst_error(weights, sample, context, level) < 0.08


def test_dead_and_constant_inputs_do_no_harm():
    weights, sample, _ = small_case()
    features = sample.features.copy()
    features[:, 0], features[:, 1] = 0.0, 5.0
    sample = replace(sample, features=features)
    context = calibrate_context(weights, SMALL, sample, UNIT, 127)
    known = quantize_inputs(features.astype(np.float32), context.feature_input)
    assert (known[:, 0] == 0).all()
    assert np.abs(known[:, 1] - 1023).max() <= 4
    assert all(np.isfinite(net.multiplier).all() for net in nets_of(context))


def test_no_anchors_to_measure_give_finite_networks():
    rng = np.random.default_rng(0)
    weights = context_weights(SMALL, rng)
    context = calibrate_context(weights, SMALL, sample_of(SMALL, rng, 0), UNIT, 127)
    for net in nets_of(context):
        check_net("net", net)
        assert np.isfinite(net.out_scale).all()


def test_scaling_inputs_are_in_world_units():
    _, sample, context = small_case()
    world = (sample.scaling * UNIT).astype(np.float32)
    units = quantize_inputs(world, context.scaling_input)
    reach = np.quantile(sample.scaling, 0.98, axis=0)
    np.testing.assert_allclose(
        units, np.minimum(np.rint(sample.scaling / reach * 1023), 1023), atol=6
    )


def test_small_scenes_get_coarse_weights():
    assert (weight_limit(1), weight_limit(99_999), weight_limit(100_000)) == (63, 63, 127)
