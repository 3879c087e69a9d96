"""Range coder by the native library: the same bytes as the numpy coder, only faster."""

import numpy as np
import numpy.typing as npt

from ..errors import MalformedError
from ..native import load_native
from .distribution import (
    HALF_RANGE,
    Distribution,
    Intervals,
    MixtureDistribution,
    TableDistribution,
    TritDistribution,
)

__all__ = ["decode_lanes_native", "encode_lanes_native"]

Int64Array = npt.NDArray[np.int64]

BITS_PER_SYMBOL = 24
"""Room per symbol in the output buffer; a symbol takes at most 16 bits and rounding."""
LANE_ROOM = 16
"""Room per lane for its end."""


def encode_lanes_native(intervals: Intervals, lane_length: int) -> list[bytes]:
    """Encode each run of `lane_length` symbols by itself.

    Raises:
        DeviceError: the library is not there.
    """
    library = load_native()
    low, high = _whole(intervals.low), _whole(intervals.high)
    lanes = -(-len(low) // lane_length)
    room = len(low) * BITS_PER_SYMBOL // 8 + lanes * LANE_ROOM
    out, sizes = np.empty(room, dtype=np.uint8), np.zeros(lanes, dtype=np.int64)
    written = library.pcgs_encode(
        low.ctypes.data, high.ctypes.data, len(low), lane_length, out.ctypes.data, room,
        sizes.ctypes.data,
    )  # fmt: skip
    if written < 0:
        raise MalformedError("intervals do not describe symbols; report this as a bug")
    data, ends = out[:written].tobytes(), np.cumsum(sizes).tolist()
    return [data[e - n : e] for e, n in zip(ends, sizes.tolist(), strict=True)]


def decode_lanes_native(
    data: bytes, sizes: Int64Array, distribution: Distribution, lane_length: int
) -> Int64Array:
    """Return the `[count]` symbols of lanes lying one after the other in `data`.

    Raises:
        DeviceError: the library is not there.
    """
    library = load_native()
    symbols = np.zeros(distribution.count, dtype=np.int64)
    source, lengths = np.frombuffer(data, dtype=np.uint8), _whole(sizes)
    head = (source.ctypes.data, lengths.ctypes.data, distribution.count, lane_length)
    if isinstance(distribution, MixtureDistribution):
        d = distribution
        parts = [_whole(a) for a in (d.mean, d.inverse, d.weight[0], d.low, d.high)]
        normal = np.ascontiguousarray(d.tables.normal, dtype=np.uint32)
        library.pcgs_decode_mixture(
            *head, *(a.ctypes.data for a in parts), normal.ctypes.data, HALF_RANGE,
            symbols.ctypes.data,
        )  # fmt: skip
    elif isinstance(distribution, TritDistribution):
        first, second = _whole(distribution.first), _whole(distribution.second)
        library.pcgs_decode_trits(*head, first.ctypes.data, second.ctypes.data, symbols.ctypes.data)
    elif isinstance(distribution, TableDistribution):
        rows, index = _whole(distribution.tables), _whole(distribution.index)
        library.pcgs_decode_tables(
            *head, rows.ctypes.data, rows.shape[1], index.ctypes.data, symbols.ctypes.data
        )
    else:
        raise TypeError(f"no native decoder for {type(distribution).__name__}")
    return symbols


def _whole(array: Int64Array) -> Int64Array:
    return np.ascontiguousarray(array, dtype=np.int64)
