"""Context arithmetic by the native library: the bits of the numpy code beside it, only faster.

Twins: `integer_net.evaluate` (the part between its products) and `quantization`. Every operation
is one IEEE float32 operation, so both give the same integers; tests compare them.
"""

import ctypes
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..native import load_native
from ..native.threads import even_ranges, run_ranges, worker_count
from .distribution import MixtureDistribution
from .tables import Tables

__all__ = [
    "NetOutputs",
    "native_gaussian_parameters",
    "native_mixture_parameters",
    "native_requantize",
]

FloatArray = npt.NDArray[np.float32]

FEWEST_ROWS = 4096
"""Rows for which a thread pays."""


class _Outputs(ctypes.Structure):
    """`Outputs` of context.c."""

    _fields_ = (
        ("mean", ctypes.c_void_p),
        ("scale", ctypes.c_void_p),
        ("logit", ctypes.c_void_p),
        ("stride", ctypes.c_int64),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NetOutputs:
    """Where mean, scale and logit of some channels begin in the outputs of a network."""

    values: FloatArray  # [N, outputs]
    mean: int
    scale: int
    logit: int = 0
    """Not read where there is one component."""


def native_requantize(
    sums: FloatArray,  # [N, H] contiguous, changed
    bias: FloatArray,  # [H]
    multiplier: FloatArray,  # [H]
    *,
    leaky: bool,
) -> FloatArray:
    """Turn the products of a hidden layer into its units, in place.

    Returns:
        clip(rint(activation((sums + bias) * multiplier)), -1023, 1023).

    Raises:
        DeviceError: the library is not there.
        ValueError: an array is not contiguous float32 of these shapes.
    """
    library, (rows, width) = load_native(), sums.shape
    _check("sums", sums, (rows, width))
    _check("bias", bias, (width,))
    _check("multiplier", multiplier, (width,))
    head = (sums.ctypes.data, bias.ctypes.data, multiplier.ctypes.data, int(leaky))
    run_ranges(
        lambda a, b: library.pcgs_requantize(*head, a, b, width),
        even_ranges(rows, FEWEST_ROWS, worker_count()),
    )
    return sums


def native_mixture_parameters(
    first: NetOutputs,
    second: NetOutputs,
    width: int,
    inverse: FloatArray,  # [N] 256 / step
    tables: Tables,
) -> MixtureDistribution:
    """Return the mixture of two networks' Gaussians for `width` channels of each of N anchors.

    Raises:
        DeviceError: the library is not there.
        ValueError: an array is not contiguous float32 of the wanted shape.
    """
    library, rows = load_native(), len(inverse)
    mean = np.empty((2, rows * width), dtype=np.int32)
    scale = np.empty((2, rows * width), dtype=np.uint16)
    weight = np.empty(rows * width, dtype=np.int16)
    _check("inverse steps", inverse, (rows,))
    logistic = np.ascontiguousarray(tables.logistic, dtype=np.int16)
    nets = [_bound(net, rows, width, logit=True) for net in (first, second)]
    one, two = (ctypes.byref(net) for net in nets)
    means, scales = ([row.ctypes.data for row in rows_] for rows_ in (mean, scale))
    steps, lookup, out = inverse.ctypes.data, logistic.ctypes.data, weight.ctypes.data

    def work(begin: int, end: int) -> None:
        gaussian = library.pcgs_gaussian_parameters
        gaussian(one, steps, begin, end, width, means[0], scales[0])
        gaussian(two, steps, begin, end, width, means[1], scales[1])
        library.pcgs_mixture_weights(one, two, lookup, begin, end, width, out)

    run_ranges(work, even_ranges(rows, FEWEST_ROWS, worker_count()))
    return MixtureDistribution(mean=mean, scale=scale, weight=weight, tables=tables)


def native_gaussian_parameters(
    net: NetOutputs,
    width: int,
    inverse: FloatArray,  # [N] 256 / step
    tables: Tables,
) -> MixtureDistribution:
    """Return one Gaussian for each of `width` channels of N anchors.

    Raises:
        DeviceError: the library is not there.
        ValueError: an array is not contiguous float32 of the wanted shape.
    """
    library, rows = load_native(), len(inverse)
    mean, scale = np.empty(rows * width, dtype=np.int32), np.empty(rows * width, dtype=np.uint16)
    _check("inverse steps", inverse, (rows,))
    bound = _bound(net, rows, width, logit=False)
    head, out = (ctypes.byref(bound), inverse.ctypes.data), (mean.ctypes.data, scale.ctypes.data)
    run_ranges(
        lambda a, b: library.pcgs_gaussian_parameters(*head, a, b, width, *out),
        even_ranges(rows, FEWEST_ROWS, worker_count()),
    )
    return MixtureDistribution.single(mean, scale, tables)


def _bound(net: NetOutputs, rows: int, width: int, *, logit: bool) -> _Outputs:
    stride = net.values.shape[1]
    _check("network outputs", net.values, (rows, stride))
    columns = (net.mean, net.scale, net.logit if logit else 0)
    if min(columns) < 0 or max(columns) + width > stride:
        raise ValueError(f"columns {columns} and {width} more, outputs have {stride}")
    begin = net.values.ctypes.data
    return _Outputs(*(begin + net.values.itemsize * column for column in columns), stride)


def _check(name: str, array: FloatArray, shape: tuple[int, ...]) -> None:
    if array.dtype != np.float32 or array.shape != shape or not array.flags.c_contiguous:
        raise ValueError(f"{name}: {array.dtype} {array.shape}, wanted contiguous float32 {shape}")
