"""Ideal code length: a distribution and symbols in, bits out; the range coder comes close."""

from typing import Any

import numpy as np
import numpy.typing as npt

from .distribution import TOTAL, Distribution

__all__ = ["ideal_bits"]


def ideal_bits(distribution: Distribution, symbols: npt.NDArray[np.integer[Any]]) -> float:
    """Return the sum of -log2 of the probabilities of `[count]` symbols inside their windows."""
    ends = distribution.intervals(symbols)
    share = (ends.last.astype(np.int64) + 1 - ends.low) / TOTAL
    return float(-np.log2(share).sum())
