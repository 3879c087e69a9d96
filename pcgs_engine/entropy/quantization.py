"""Integer distribution parameters: float32 network outputs and steps in, integers out.

Every operation is one IEEE float32 operation or a comparison, so the integers are the same on
every machine. FORMAT.md §6.2.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .distribution import MixtureDistribution
from .native_context import NetOutputs, native_gaussian_parameters, native_mixture_parameters
from .tables import EXP_ENTRIES, LOGISTIC_RANGE, LOGIT_UNITS, SCALE_COUNT, VALUE_UNITS, Tables

__all__ = [
    "GaussianParameters",
    "gaussian_law",
    "gaussian_parameters",
    "inverse_step",
    "mixture_law",
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
    with np.errstate(over="ignore"):  # infinite is clipped like any large value
        units = mean * inverse
        sigma = np.abs(scale) * (inverse * np.float32(1 / VALUE_UNITS))
    np.clip(np.rint(units, out=units), -MEAN_LIMIT, MEAN_LIMIT, out=units)
    return GaussianParameters(mean=units.astype(np.int32), scale=scale_index(sigma))


def scale_index(sigma: FloatArray) -> npt.NDArray[np.uint16]:
    """Return the bucket of a standard deviation in steps, 16 per octave from 2**-7 on."""
    bits = np.ascontiguousarray(sigma).view(np.int32) >> SCALE_BITS
    clipped = np.clip(bits - SCALE_ORIGIN, 0, SCALE_COUNT - 1)
    index: npt.NDArray[np.uint16] = clipped.astype(np.uint16)
    return index


def mixture_weight(
    hash_logit: FloatArray, channel_logit: FloatArray, tables: Tables
) -> npt.NDArray[np.int16]:
    """Return round(256 softmax(hash, channel)[0]): the weight of the first component."""
    gap = np.rint((hash_logit - channel_logit) * WEIGHT_UNITS)
    index = np.clip(gap, -LOGISTIC_RANGE, LOGISTIC_RANGE).astype(np.int16) + LOGISTIC_RANGE
    weight: npt.NDArray[np.int16] = tables.logistic[index]
    return weight


def mixture_law(
    first: NetOutputs,
    second: NetOutputs,
    width: int,
    inverse: FloatArray,  # [N] `inverse_step`
    tables: Tables,
    *,
    native: bool,
) -> MixtureDistribution:
    """Return the mixture of two networks' Gaussians for `width` channels of each of N anchors.

    `native` says whether the native library works it out; the integers are the same.
    """
    if native:
        return native_mixture_parameters(first, second, width, inverse, tables)
    one, two = (_parameters(net, width, inverse) for net in (first, second))
    weight = mixture_weight(_columns(first, first.logit, width),
                            _columns(second, second.logit, width), tables)  # fmt: skip
    return MixtureDistribution.from_parameters(
        np.stack([one.mean.ravel(), two.mean.ravel()]),
        np.stack([one.scale.ravel(), two.scale.ravel()]),
        weight.ravel(),
        tables,
    )


def gaussian_law(
    net: NetOutputs,
    width: int,
    inverse: FloatArray,  # [N] `inverse_step`
    tables: Tables,
    *,
    native: bool,
) -> MixtureDistribution:
    """Return one Gaussian for each of `width` channels of N anchors; `native` as above."""
    if native:
        return native_gaussian_parameters(net, width, inverse, tables)
    found = _parameters(net, width, inverse)
    return MixtureDistribution.single(found.mean.ravel(), found.scale.ravel(), tables)


def _parameters(net: NetOutputs, width: int, inverse: FloatArray) -> GaussianParameters:
    mean, scale = _columns(net, net.mean, width), _columns(net, net.scale, width)
    return gaussian_parameters(mean, scale, inverse[:, None])


def _columns(net: NetOutputs, first: int, width: int) -> FloatArray:
    return net.values[:, first : first + width]


def trit_parameters(
    logits: FloatArray,  # [..., 3]
) -> npt.NDArray[np.uint16]:
    """Return the distance of each logit below the largest, `[..., 3]` in 0..511 of 1/32."""
    # numpy is slow along an axis of 3
    top = np.maximum(np.maximum(logits[..., 0], logits[..., 1]), logits[..., 2])
    below = top[..., None] - logits
    below *= np.float32(LOGIT_UNITS)
    np.rint(np.minimum(below, np.float32(EXP_ENTRIES - 1), out=below), out=below)
    return below.astype(np.uint16)
