"""Integer networks: single roundings around exact sums, the same in numpy and in C."""

from dataclasses import replace

import numpy as np
import pytest

from pcgs_engine.entropy.backend import EntropyBackend, best_backend
from pcgs_engine.entropy.exact_product import EXACT_SUM, numpy_product
from pcgs_engine.entropy.integer_net import INPUT_LIMIT, check_net, evaluate, quantize_inputs
from pcgs_engine.entropy.weights import IntegerNet
from pcgs_engine.errors import MalformedError

NATIVE = pytest.param(
    True,
    marks=pytest.mark.skipif(
        best_backend() is not EntropyBackend.NATIVE, reason="native library is not built here"
    ),
)
BOTH = pytest.mark.parametrize("native", [False, NATIVE])


def some_net(*, leaky=False, seed=0, hidden=30, inputs=40, outputs=12):
    rng = np.random.default_rng(seed)
    return IntegerNet(
        hidden_weight=rng.integers(-127, 128, (hidden, inputs)).astype(np.int8),
        hidden_bias=rng.integers(-(10**6), 10**6, hidden).astype(np.int32),
        multiplier=rng.normal(0, 1e-3, (3, hidden)).astype(np.float32),
        leaky=leaky,
        out_weight=rng.integers(-127, 128, (outputs, hidden)).astype(np.int8),
        out_bias=rng.integers(-(10**6), 10**6, outputs).astype(np.int32),
        out_scale=rng.uniform(1e-6, 1e-3, outputs).astype(np.float32),
    )


def once(values):
    """Round a float64 number that is exact to float32."""
    return np.asarray(values).astype(np.float32).astype(np.float64)


def expected(net, inputs, row):
    """FORMAT.md §8.2 in int64, and float64 with a rounding after every operation."""
    sums = inputs.astype(np.int64) @ net.hidden_weight.astype(np.int64).T + net.hidden_bias
    y = once(sums * net.multiplier[row].astype(np.float64))
    below = once(y * np.float64(np.float32(0.01))) if net.leaky else 0.0
    hidden = np.clip(np.rint(np.where(y < 0, below, y)), -1023, 1023).astype(np.int64)
    out = hidden @ net.out_weight.astype(np.int64).T + net.out_bias
    return once(out * net.out_scale.astype(np.float64)).astype(np.float32)


@BOTH
@pytest.mark.parametrize("leaky", [False, True])
@pytest.mark.parametrize("row", [0, 2])
@pytest.mark.parametrize("count", [0, 1, 500])
def test_net_follows_the_rule_bit_for_bit(leaky, row, count, native):
    net = some_net(leaky=leaky)
    inputs = np.random.default_rng(1).integers(-1023, 1024, (count, 40)).astype(np.float32)
    before = inputs.copy()
    found = evaluate(net, inputs, row, numpy_product, native=native)
    assert found.dtype == np.float32
    assert found.shape == (count, 12)
    assert np.array_equal(found, expected(net, before, row))
    assert np.array_equal(inputs, before)


@BOTH
def test_negative_multiplier_turns_a_unit_round(native):
    net = some_net()
    net = replace(net, multiplier=-net.multiplier)
    inputs = np.random.default_rng(1).integers(-1023, 1024, (200, 40)).astype(np.float32)
    found = evaluate(net, inputs, 1, numpy_product, native=native)
    assert np.array_equal(found, expected(net, inputs, 1))
    turned = evaluate(some_net(), inputs, 1, numpy_product, native=native)
    assert not np.array_equal(found, turned)


@BOTH
def test_hidden_units_are_clipped(native):
    net = replace(some_net(), multiplier=np.full((1, 30), 2.0**60, dtype=np.float32))
    inputs = np.ones((1, 40), dtype=np.float32)
    sums = net.hidden_weight.astype(np.int64).sum(axis=1) + net.hidden_bias
    out = net.out_weight.astype(np.int64) @ np.where(sums > 0, 1023, 0) + net.out_bias
    wanted = out.astype(np.float32) * net.out_scale
    assert np.array_equal(evaluate(net, inputs, 0, numpy_product, native=native)[0], wanted)


def test_inputs_are_rounded_to_even_and_clipped():
    values = np.float32([[0.5, 1.5, -2.5, 1e9, -1e30, 1023.5]])
    found = quantize_inputs(values, np.ones(6, dtype=np.float32))
    assert found.tolist() == [[0, 2, -2, 1023, -1023, 1023]]
    assert values[0, 0] == 0.5


def test_inputs_beyond_float32_are_clipped():
    values = np.float32([[3e38, -3e38, 1e-30]])
    found = quantize_inputs(values, np.full(3, 2.0**60, dtype=np.float32))
    assert found.tolist() == [[1023, -1023, 0]]


def bounded(weights, bias):
    net = some_net(hidden=2, inputs=130, outputs=1)
    hidden = np.zeros((2, 130), dtype=np.int8)
    hidden[1] = weights
    return replace(net, hidden_weight=hidden, hidden_bias=np.array([0, bias], dtype=np.int32))


@pytest.mark.parametrize("sign", [-1, 1])
def test_check_net_accepts_the_bound_and_nothing_beyond(sign):
    weights = np.where(np.arange(130) % 2, 126, -126)
    room = EXACT_SUM - 130 * 126 * INPUT_LIMIT
    assert room > 0
    check_net("some", bounded(weights, sign * room))
    message = f"some: a sum of the hidden layer can reach {EXACT_SUM + 1}, wanted"
    with pytest.raises(MalformedError, match=message):
        check_net("some", bounded(weights, sign * (room + 1)))


def test_check_net_counts_weights_of_minus_128():
    with pytest.raises(MalformedError, match="can reach 17022720"):
        check_net("some", bounded(np.full(130, -128), 0))


@BOTH
def test_net_at_the_bound_is_exact(native):
    weights = np.where(np.arange(130) % 2, 126, -126)
    net = bounded(weights, EXACT_SUM - 130 * 126 * INPUT_LIMIT)
    net = replace(net, multiplier=np.array([[1.0, 1023 / EXACT_SUM]], dtype=np.float32))
    inputs = (INPUT_LIMIT * np.sign(weights))[None].astype(np.float32)
    found = evaluate(net, inputs, 0, numpy_product, native=native)
    assert np.array_equal(found, expected(net, inputs, 0))
