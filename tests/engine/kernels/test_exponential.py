"""exp of one float32 in kernels: accuracy and the edges of its range."""

import numpy as np
import pytest

from pcgs_engine.kernels.exponential import exp32, sigmoid32


def test_exp32_over_its_range_has_relative_error_below_3e_7():
    values = np.linspace(-86.9, 87.9, 20001).astype(np.float32)
    found = np.array([exp32(x) for x in values], np.float64)
    wanted = np.exp(values.astype(np.float64))
    assert float(np.abs(found / wanted - 1).max()) < 3e-7


@pytest.mark.parametrize(
    ("x", "wanted"), [(-1e30, 0.0), (-np.inf, 0.0), (89.0, np.inf), (np.inf, np.inf), (0.0, 1.0)]
)
def test_exp32_at_its_edges_saturates(x, wanted):
    assert exp32(np.float32(x)) == wanted


def test_exp32_and_sigmoid32_of_nan_are_nan():
    assert np.isnan(exp32(np.float32(np.nan)))
    assert np.isnan(sigmoid32(np.float32(np.nan)))


def test_sigmoid32_of_large_numbers_is_0_and_1():
    assert sigmoid32(np.float32(-200.0)) == 0.0
    assert sigmoid32(np.float32(200.0)) == 1.0
