"""Products of integers: exact at the very bound, whatever the order and shape."""

import numpy as np
import pytest

from pcgs_engine.entropy.exact_product import EXACT_SUM, numpy_product


def integers(rng, rows, columns, limit):
    return rng.integers(-limit, limit + 1, (rows, columns)).astype(np.float32)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 129, 5), (1000, 96, 162), (0, 4, 3), (7, 4, 0)])
def test_numpy_product_is_the_integer_one(shape):
    rows, inputs, outputs = shape
    rng = np.random.default_rng(rows)
    left, right = integers(rng, rows, inputs, 1023), integers(rng, outputs, inputs, 127)
    wanted = left.astype(np.int64) @ right.astype(np.int64).T
    found = numpy_product(left, right)
    assert found.dtype == np.float32
    assert np.array_equal(found.astype(np.int64), wanted)


@pytest.mark.parametrize("sign", [-1, 1])
def test_sums_at_the_bound_are_exact_in_any_order(sign):
    rng = np.random.default_rng(0)
    weight = np.zeros(400, dtype=np.int64)
    while (rest := EXACT_SUM // 1023 - np.abs(weight).sum()) > 0:
        weight[rng.integers(400)] += min(rest, 40)
    weight = np.where(rng.random(400) < 0.5, -weight, weight)
    inputs = 1023 * np.sign(weight) * sign  # every partial sum is as large as it can be
    wanted = int(inputs @ weight)
    assert abs(wanted) > 0.9999 * EXACT_SUM
    for _ in range(20):
        order = rng.permutation(400)
        left = np.tile(inputs[order].astype(np.float32), (9, 1))
        right = np.tile(weight[order].astype(np.float32), (5, 1))
        assert (numpy_product(left, right) == wanted).all()
