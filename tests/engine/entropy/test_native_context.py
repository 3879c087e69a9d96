"""Native context arithmetic: the same bits as the numpy code it replaces."""

import numpy as np
import pytest
from laws import TABLES

from pcgs_engine.entropy import native_context
from pcgs_engine.entropy.backend import EntropyBackend, best_backend
from pcgs_engine.entropy.native_context import (
    NetOutputs,
    native_gaussian_parameters,
    native_mixture_parameters,
    native_requantize,
)
from pcgs_engine.entropy.quantization import gaussian_parameters, mixture_weight

pytestmark = pytest.mark.skipif(
    best_backend() is not EntropyBackend.NATIVE, reason="native library is not built here"
)
LIMIT = 1023


@pytest.fixture(autouse=True)
def threads(monkeypatch):
    monkeypatch.setattr(native_context, "worker_count", lambda: 3)
    monkeypatch.setattr(native_context, "FEWEST_ROWS", 100)


def wild(rng, shape):
    """Float32 values of all magnitudes, with halves, zeros and infinities."""
    values = rng.normal(size=shape) * 10.0 ** rng.uniform(-12, 12, shape)
    values[rng.random(shape) < 0.3] = rng.integers(-3000, 3000) / 2
    flat = values.astype(np.float32).ravel()
    flat[:6] = [0, -0.0, np.inf, -np.inf, 2**23 + 1, -(2**23) - 1]
    return flat.reshape(shape)


@pytest.mark.parametrize("leaky", [False, True])
def test_requantize_integers_and_multipliers_match_numpy(leaky):
    rng = np.random.default_rng(0)
    sums = rng.integers(-(1 << 24), 1 << 24, (1001, 50)).astype(np.float32)
    bias = rng.integers(-1000, 1000, 50).astype(np.float32)
    sums = (sums // 2) - bias
    multiplier = np.float32(10.0 ** rng.uniform(-6, 0, 50))
    multiplier[0] = 0.5  # halves: ties go to even
    wanted = (sums + bias) * multiplier
    wanted = np.where(wanted < 0, wanted * np.float32(0.01) if leaky else np.float32(0), wanted)
    wanted = np.clip(np.rint(wanted), -LIMIT, LIMIT)
    found = native_requantize(sums, bias, multiplier, leaky=leaky)
    assert found is sums
    assert np.array_equal(found, wanted)


def test_requantize_ties_round_to_even():
    sums = np.float32([[1, 3, 5, -1, -3, -5]])
    ones = np.ones(6, dtype=np.float32)
    found = native_requantize(sums * 50, 0 * ones, ones / 100, leaky=False)
    assert found.tolist() == [[0, 2, 2, 0, 0, 0]]


def test_mixture_parameters_any_outputs_match_numpy():
    rng = np.random.default_rng(1)
    rows, F, C, begin = 1003, 12, 4, 8
    first, second = wild(rng, (rows, 3 * F + 5)), wild(rng, (rows, 3 * C))
    first[:, 2 * F : 3 * F] = second[:, 2 * C :].repeat(3, 1) + rng.normal(size=(rows, F)) * 9
    inverse = np.float32(256 / 10.0 ** rng.uniform(-4, 1, rows))
    finite = np.isfinite(first).all(axis=1) & np.isfinite(second).all(axis=1)
    first, second, inverse = (np.ascontiguousarray(a[finite]) for a in (first, second, inverse))
    law = native_mixture_parameters(
        NetOutputs(values=first, mean=begin, scale=F + begin, logit=2 * F + begin),
        NetOutputs(values=second, mean=0, scale=C, logit=2 * C),
        C,
        inverse,
        TABLES,
    )
    own = slice(begin, begin + C)
    parts = [a.reshape(len(inverse), 3, -1) for a in (first[:, : 3 * F], second)]
    parts[0] = parts[0][:, :, own]
    for k, part in enumerate(parts):
        wanted = gaussian_parameters(part[:, 0], part[:, 1], inverse[:, None])
        assert np.array_equal(law.mean[k], wanted.mean.ravel())
        assert np.array_equal(law.scale[k], wanted.scale.ravel())
    weight = mixture_weight(parts[0][:, 2], parts[1][:, 2], TABLES)
    assert np.array_equal(law.weight, weight.ravel())
    assert len(np.unique(weight)) > 100
    assert np.abs(law.mean).max() == 1 << 23


def test_gaussian_parameters_infinite_outputs_stay_in_range():
    values = np.float32([[np.inf, -np.inf, 1, np.inf, 0, -7]])
    law = native_gaussian_parameters(
        NetOutputs(values=values, mean=0, scale=3), 3, np.float32([256]), TABLES
    )
    wanted = gaussian_parameters(values[:, :3], values[:, 3:], np.float32([[256]]))
    assert law.mean[0].tolist() == wanted.mean.ravel().tolist() == [1 << 23, -(1 << 23), 256]
    assert law.scale[0].tolist() == wanted.scale.ravel().tolist() == [303, 0, 156]


def test_native_context_wrong_arrays_raise():
    values, inverse = np.zeros((4, 6), dtype=np.float32), np.ones(4, dtype=np.float32)
    with pytest.raises(ValueError, match="outputs have 6"):
        native_gaussian_parameters(NetOutputs(values=values, mean=0, scale=4), 3, inverse, TABLES)
    with pytest.raises(ValueError, match="wanted contiguous float32"):
        native_gaussian_parameters(
            NetOutputs(values=values.astype(np.float64), mean=0, scale=3), 3, inverse, TABLES
        )
    with pytest.raises(ValueError, match="bias"):
        native_requantize(values, np.zeros(5, np.float32), inverse[:1].repeat(6), leaky=True)
