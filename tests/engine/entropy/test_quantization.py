"""Network outputs to integers: every operation rounded once, against float64."""

import numpy as np
import pytest
from laws import TABLES

from pcgs_engine.entropy.quantization import (
    gaussian_parameters,
    inverse_step,
    mixture_weight,
    scale_index,
    trit_parameters,
)


def once(values):
    return np.asarray(values, dtype=np.float64).astype(np.float32)


def spread(rng, count, low, high):
    """Values of both signs and all magnitudes between two powers of ten."""
    sign = rng.choice([-1.0, 1.0], count)
    return (sign * 10.0 ** rng.uniform(low, high, count)).astype(np.float32)


@pytest.mark.parametrize("step", [1e-6, 0.01, 1.0, 1.7, 300.0])
def test_gaussian_parameters_follow_the_rule(step):
    rng = np.random.default_rng(0)
    steps = (step * rng.uniform(0.1, 1, 4000)).astype(np.float32)
    mean, scale = spread(rng, 4000, -4, 4) * np.float32(step), spread(rng, 4000, -6, 6)
    inverse = inverse_step(steps)
    assert np.array_equal(inverse, once(256.0 / steps.astype(np.float64)))
    found = gaussian_parameters(mean, scale, inverse)
    units = once(mean.astype(np.float64) * inverse)
    assert np.array_equal(found.mean, np.clip(np.rint(units), -(2**23), 2**23))
    sigma = once(np.abs(scale.astype(np.float64)) * once(inverse.astype(np.float64) / 256))
    assert np.array_equal(found.scale, scale_index(sigma))
    # What it is for: means in 1/256 steps, sigmas within a 16th of an octave.
    near = np.abs(mean / steps) < 1e4
    assert np.abs(found.mean[near] / 256 - mean[near] / steps[near]).max() < 0.01
    ratio = np.abs(scale) / steps
    inside = (ratio > 2**-7) & (ratio < 2**11.9)
    index = found.scale.astype(np.int64)
    middle = 2.0 ** (index // 16 - 7) * (1 + (index % 16 + 0.5) / 16)
    assert np.abs(middle / ratio - 1)[inside].max() < 0.04


def test_scale_index_is_the_bucket_of_the_top_bits():
    index = np.arange(304)
    low = np.float32(2.0 ** (index // 16 - 7) * (1 + (index % 16) / 16))
    assert np.array_equal(scale_index(low), index)
    assert np.array_equal(scale_index(np.nextafter(low, np.float32(0))), np.maximum(index - 1, 0))
    high = np.nextafter(low[1:], np.float32(0))
    assert np.array_equal(scale_index(high), index[:-1])
    extreme = np.float32([0, 1e-45, 1e-30, np.inf, 3e38])
    assert scale_index(extreme).tolist() == [0, 0, 0, 303, 303]


def test_means_are_rounded_to_even_and_clipped():
    mean = np.float32([0.5, 1.5, -0.5, 2.5, 1e20, -1e20, 3e38])
    found = gaussian_parameters(mean, np.zeros(7, np.float32), np.ones(7, np.float32))
    assert found.mean.tolist() == [0, 2, 0, 2, 2**23, -(2**23), 2**23]
    assert (found.scale == 0).all()


def test_products_beyond_float32_are_clipped():
    big = np.float32([3e38, -3e38])
    found = gaussian_parameters(big, big, np.full(2, 3e38, dtype=np.float32))
    assert found.mean.tolist() == [2**23, -(2**23)]
    assert found.scale.tolist() == [303, 303]


def test_mixture_weight_is_near_the_softmax():
    rng = np.random.default_rng(0)
    one, two = (rng.normal(0, 5, 5000).astype(np.float32) for _ in range(2))
    found = mixture_weight(one, two, TABLES)
    wanted = 256 / (1 + np.exp(two.astype(np.float64) - one))
    # Half a unit, and the logit's rounding to 1/16: at most 1/32 * 256/4.
    assert np.abs(found - wanted).max() < 0.5 + 2.01
    assert np.array_equal(256 - found, mixture_weight(two, one, TABLES))


def test_mixture_weight_of_far_logits_is_all_or_nothing():
    far = np.float32([100, -100, 2.0**80, -(2.0**80)])
    assert mixture_weight(far, -far, TABLES).tolist() == [256, 0, 256, 0]


def test_trit_parameters_follow_the_rule_and_are_near_the_softmax():
    logits = np.random.default_rng(0).normal(0, 3, (50, 7, 3)).astype(np.float32)
    before = logits.copy()
    found = trit_parameters(logits)
    assert np.array_equal(logits, before)
    gap = once(logits.max(axis=2, keepdims=True).astype(np.float64) - logits)
    assert np.array_equal(found, np.rint(np.minimum(gap * 32.0, 511)))
    assert (found.min(axis=2) == 0).all()
    share = TABLES.exp[found] / TABLES.exp[found].sum(axis=2, keepdims=True)
    wanted = np.exp(-gap) / np.exp(-gap).sum(axis=2, keepdims=True)
    assert np.abs(share - wanted).max() < 0.01


def test_trit_parameters_of_far_logits_end_at_the_table():
    found = trit_parameters(np.float32([[2.0**80, -(2.0**80), 0], [0, -15.97, -16.5]]))
    assert found.tolist() == [[0, 511, 511], [0, 511, 511]]
