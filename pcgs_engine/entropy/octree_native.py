"""The split tree by the native library: the same bits as octree_walk.py, only faster."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import MalformedError
from ..native import load_native
from .distribution import TOTAL, Intervals
from .octree_model import learning_shift, logistic_curves

__all__ = ["CodedTree", "decode_tree_native", "encode_tree_native"]

Int64Array = npt.NDArray[np.int64]

STEPS_PER_POINT = 10
"""Usual number of coded bits; the encoder runs again where it was too small."""
RAW_BYTES_PER_POINT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedTree:
    """What the range encoder and the file need."""

    intervals: Intervals
    """Lane after lane."""
    steps: int
    """Bits of a lane."""
    raw: bytes


def encode_tree_native(
    codes: Int64Array, depth: int, widths: tuple[int, int], lanes: int
) -> CodedTree:
    """Model the sorted `[count]` codes of `depth` bits.

    Raises:
        DeviceError: the library is not there.
    """
    library, count = load_native(), len(codes)
    points, shape, curves = np.ascontiguousarray(codes), _shape(depth, widths, lanes), _curves()
    scratch = np.empty(library.pcgs_octree_scratch(count), dtype=np.uint8)
    used = np.zeros(1, dtype=np.int64)
    capacity, steps = count * STEPS_PER_POINT // lanes + 100, 0
    while True:
        below = np.zeros((capacity, lanes), dtype=np.uint16)
        last = np.full((capacity, lanes), TOTAL - 1, dtype=np.uint16)
        raw = np.zeros(count * RAW_BYTES_PER_POINT, dtype=np.uint8)
        steps = library.pcgs_octree_encode(
            points.ctypes.data, count, shape.ctypes.data, curves.ctypes.data, scratch.ctypes.data,
            below.ctypes.data, last.ctypes.data, capacity, raw.ctypes.data, len(raw),
            used.ctypes.data,
        )  # fmt: skip
        if steps <= capacity:
            break
        capacity = steps
    if steps < 0:
        raise MalformedError("codes are not distinct and sorted; report this as a bug")
    intervals = Intervals(low=below[:steps].T.ravel(), last=last[:steps].T.ravel())
    return CodedTree(intervals=intervals, steps=steps, raw=raw[: int(used[0]) + 7 >> 3].tobytes())


def decode_tree_native(
    data: bytes,
    sizes: Int64Array,  # [lanes] bytes of each, at most all of `data`
    raw: bytes,
    count: int,
    depth: int,
    widths: tuple[int, int],
) -> tuple[Int64Array, int]:
    """Return the `[count]` codes and the raw bits used.

    Raises:
        MalformedError: the bits do not describe `count` points.
        DeviceError: the library is not there.
    """
    library = load_native()
    source, rest = np.frombuffer(data, dtype=np.uint8), np.frombuffer(raw, dtype=np.uint8)
    lengths = np.ascontiguousarray(sizes, dtype=np.int64)
    shape, curves = _shape(depth, widths, len(sizes)), _curves()
    scratch = np.empty(library.pcgs_octree_scratch(count), dtype=np.uint8)
    codes = np.zeros(count, dtype=np.int64)
    used = library.pcgs_octree_decode(
        source.ctypes.data, lengths.ctypes.data, rest.ctypes.data, len(rest), count,
        shape.ctypes.data, curves.ctypes.data, scratch.ctypes.data, codes.ctypes.data,
    )  # fmt: skip
    if used < 0:
        raise MalformedError(f"octree does not have {count} points")
    return codes, int(used)


def _shape(depth: int, widths: tuple[int, int], lanes: int) -> Int64Array:
    return np.array([depth, *widths, lanes, learning_shift(lanes)], dtype=np.int64)


def _curves() -> npt.NDArray[np.int32]:
    return np.concatenate(logistic_curves()).astype(np.int32)
