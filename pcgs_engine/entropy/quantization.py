"""Integer distribution parameters: float64 network outputs and steps in, integers out.

The only place where floats become the integers that drive the coder. FORMAT.md §6.2, §8.3.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .tables import EXP_ENTRIES, LOGIT_UNITS, SCALE_COUNT, SCALE_MAX, SCALE_MIN, VALUE_UNITS

__all__ = [
    "GaussianParameters",
    "gaussian_parameters",
    "mixture_weight",
    "trit_parameters",
]

Float64Array = npt.NDArray[np.float64]
Int64Array = npt.NDArray[np.int64]

MEAN_LIMIT = 1 << 30
"""Largest |mean| in 1/256 steps."""
SCALE_FLOOR = 1e-9
"""Smallest |scale| in value units. Source: facts §2.2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianParameters:
    """One Gaussian per symbol."""

    mean: Int64Array  # 1/256 steps
    scale: Int64Array  # index 0..255


def gaussian_parameters(
    mean: Float64Array,
    scale: Float64Array,
    step: Float64Array,  # broadcastable to mean
) -> GaussianParameters:
    """Round mean and |scale|, in value units, to integers in units of `step`."""
    units = np.clip(mean / step * VALUE_UNITS, -MEAN_LIMIT, MEAN_LIMIT)
    sigma = np.maximum(np.abs(scale), SCALE_FLOOR) / step
    per_octave = (SCALE_COUNT - 1) / math.log2(SCALE_MAX / SCALE_MIN)
    index = np.rint(np.log2(sigma / SCALE_MIN) * per_octave)
    return GaussianParameters(
        mean=np.rint(units).astype(np.int64),
        scale=np.clip(index, 0, SCALE_COUNT - 1).astype(np.int64),
    )


def mixture_weight(hash_logit: Float64Array, channel_logit: Float64Array) -> Int64Array:
    """Return round(256 softmax(hash, channel)[0]): the weight of the first component."""
    gap = np.clip(hash_logit - channel_logit, -60.0, 60.0)
    weight: Int64Array = np.rint(256.0 / (1.0 + np.exp(-gap))).astype(np.int64)
    return weight


def trit_parameters(
    logits: Float64Array,  # [..., 3]
) -> Int64Array:
    """Return the distance of each logit below the largest, `[..., 3]` in 0..511 of 1/32."""
    below = (logits.max(axis=-1, keepdims=True) - logits) * LOGIT_UNITS
    rounded: Int64Array = np.rint(np.minimum(below, EXP_ENTRIES - 1.0)).astype(np.int64)
    return rounded
