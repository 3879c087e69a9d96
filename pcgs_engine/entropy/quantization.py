"""Integer distribution parameters: float32 network outputs and steps in, integers out.

Every operation is one IEEE float32 operation or a comparison, so the integers are the same on
every machine. FORMAT.md §6.2.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .tables import EXP_ENTRIES, LOGISTIC_RANGE, LOGIT_UNITS, SCALE_COUNT, VALUE_UNITS, Tables

__all__ = [
    "GaussianParameters",
    "gaussian_parameters",
    "inverse_step",
    "mixture_weight",
    "scale_index",
    "trit_parameters",
]

FloatArray = npt.NDArray[np.float32]

MEAN_LIMIT = np.float32(1 << 23)
"""Largest |mean| in 1/256 steps."""
SCALE_BITS = 19
"""Bits of a float32 below the scale index: 4 bits of the mantissa are kept."""
SCALE_ORIGIN = (127 - 7) << 4
"""Top bits of 2**-7, the smallest scale."""
WEIGHT_UNITS = np.float32(16.0)
"""Mixture logits are looked up in 1/16."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianParameters:
    """One Gaussian per symbol."""

    mean: npt.NDArray[np.int32]  # 1/256 steps
    scale: npt.NDArray[np.uint16]  # index of the scale table


def inverse_step(step: FloatArray) -> FloatArray:
    """Return 256 / step: value units to units of the mean."""
    return np.float32(VALUE_UNITS) / step


def gaussian_parameters(
    mean: FloatArray,
    scale: FloatArray,
    inverse: FloatArray,  # `inverse_step`, broadcastable to mean
) -> GaussianParameters:
    """Round mean and |scale|, in value units, to integers in units of the step."""
    units = mean * inverse
    np.clip(np.rint(units, out=units), -MEAN_LIMIT, MEAN_LIMIT, out=units)
    sigma = np.abs(scale) * (inverse * np.float32(1 / VALUE_UNITS))
    return GaussianParameters(mean=units.astype(np.int32), scale=scale_index(sigma))


def scale_index(sigma: FloatArray) -> npt.NDArray[np.uint16]:
    """Return the bucket of a standard deviation in steps, 16 per octave from 2**-7 on."""
    bits = np.ascontiguousarray(sigma).view(np.int32) >> SCALE_BITS
    index = np.clip(bits - SCALE_ORIGIN, 0, SCALE_COUNT - 1)
    return index.astype(np.uint16)


def mixture_weight(
    hash_logit: FloatArray, channel_logit: FloatArray, tables: Tables
) -> npt.NDArray[np.int16]:
    """Return round(256 softmax(hash, channel)[0]): the weight of the first component."""
    gap = np.rint((hash_logit - channel_logit) * WEIGHT_UNITS)
    index = np.clip(gap, -LOGISTIC_RANGE, LOGISTIC_RANGE).astype(np.int16) + LOGISTIC_RANGE
    weight: npt.NDArray[np.int16] = tables.logistic[index]
    return weight


def trit_parameters(
    logits: FloatArray,  # [..., 3]
) -> npt.NDArray[np.uint16]:
    """Return the distance of each logit below the largest, `[..., 3]` in 0..511 of 1/32."""
    below = (logits.max(axis=-1, keepdims=True) - logits) * np.float32(LOGIT_UNITS)
    rounded: npt.NDArray[np.uint16] = np.rint(np.minimum(below, EXP_ENTRIES - 1)).astype(np.uint16)
    return rounded
