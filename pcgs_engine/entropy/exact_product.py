"""Products of integer matrices, exact in float32 whatever the order of summation.

All partial sums stay at or below 2**24 in magnitude (`integer_net.check_net`), so any BLAS, thread
count or device gives the same result. FORMAT.md §8.2.
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["EXACT_SUM", "ExactProduct", "numpy_product"]

FloatArray = npt.NDArray[np.float32]

EXACT_SUM = 1 << 24
"""Integers up to here are float32 values."""


class ExactProduct(Protocol):
    """Whoever multiplies: numpy here, torch on the encoder's side."""

    def __call__(self, inputs: FloatArray, weight: FloatArray) -> FloatArray:
        """Return `inputs [n, i] @ weight [o, i].T`, all holding integers."""
        ...


def numpy_product(inputs: FloatArray, weight: FloatArray) -> FloatArray:
    """Multiply with numpy's BLAS."""
    product: FloatArray = inputs @ weight.T
    return product
