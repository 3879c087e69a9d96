"""bfloat16 values: nearest, never below, and their bits."""

import numpy as np
import pytest

from pcgs_engine.entropy.bfloat16 import (
    bfloat16_bits,
    from_bfloat16_bits,
    round_bfloat16,
    round_up_bfloat16,
)


def values(sign=1):
    rng = np.random.default_rng(0)
    return (sign * 10.0 ** rng.uniform(-30, 30, 5000)).astype(np.float32)


@pytest.mark.parametrize("sign", [-1, 1])
def test_rounded_values_are_the_nearest_of_eight_bits(sign):
    some = values(sign)
    mantissa, exponent = np.frexp(some.astype(np.float64))
    wanted = np.ldexp(np.floor(np.abs(mantissa) * 256 + 0.5) / 256, exponent) * sign
    assert np.array_equal(round_bfloat16(some), wanted.astype(np.float32))


def test_rounded_up_values_are_the_smallest_not_below():
    some = values()
    mantissa, exponent = np.frexp(some.astype(np.float64))
    wanted = np.ldexp(np.ceil(mantissa * 256) / 256, exponent)
    assert np.array_equal(round_up_bfloat16(some), wanted.astype(np.float32))


def test_bfloat16_values_stay_and_their_bits_come_back():
    bits = np.arange(1 << 16, dtype=np.uint16)
    numbers = from_bfloat16_bits(bits)
    assert np.array_equal(bfloat16_bits(numbers), bits)
    finite = numbers[np.isfinite(numbers)]
    assert np.array_equal(round_bfloat16(finite), finite)
    assert np.array_equal(round_up_bfloat16(finite), finite)


def test_float64_input_is_rounded_by_way_of_float32():
    assert round_bfloat16(np.array([1.0 + 2.0**-8, 3.0]))[1] == 3.0
    assert round_bfloat16(np.array([1.0 + 2.0**-8]))[0] == np.float32(1.0 + 2.0**-7)
    assert round_bfloat16(np.zeros(3)).dtype == np.float32
