"""Order of the visible Gaussians, nearest first: a stable radix sort on the bits of the depth."""

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["sort_by_depth"]

DIGIT_BITS = 11
"""Bits a pass; three passes cover the 31 bits of a positive float32."""


@njit(nogil=True, cache=True)
def sort_by_depth(
    depths: npt.NDArray[np.uint32],  # [M], bits of float32 > 0, or of infinity where culled
    culled: np.uint32,
    keys: npt.NDArray[np.uint32],  # [2, M], scratch
    order: npt.NDArray[np.int32],  # [2, M], out: row 0
    count: npt.NDArray[np.int64],  # [1], out: how many are visible and set in order[0]
) -> None:
    """Sort; equal depths keep their order."""
    size = 1 << DIGIT_BITS
    counts = np.zeros((3, size), np.int64)
    mask = np.uint32(size - 1)
    visible = 0
    for i in range(len(depths)):
        key = depths[i]
        if key != culled:
            keys[0, visible] = key
            order[0, visible] = i
            visible += 1
            counts[0, key & mask] += 1
            counts[1, (key >> np.uint32(DIGIT_BITS)) & mask] += 1
            counts[2, key >> np.uint32(2 * DIGIT_BITS)] += 1
    source = 0
    for digit in range(3):
        places = counts[digit]
        if _cumulate(places, visible):
            continue
        shift = np.uint32(digit * DIGIT_BITS)
        for i in range(visible):
            key = keys[source, i]
            slot = (key >> shift) & mask
            target = places[slot]
            places[slot] = target + 1
            keys[1 - source, target] = key
            order[1 - source, target] = order[source, i]
        source = 1 - source
    if source == 1:
        order[0, :visible] = order[1, :visible]
    count[0] = visible


@njit(nogil=True, cache=True)
def _cumulate(count: npt.NDArray[np.int64], total: int) -> bool:
    """Turn counts into first places; True when one bucket holds everything already."""
    start = 0
    for slot in range(len(count)):
        here = count[slot]
        if here == total:
            return True
        count[slot] = start
        start += here
    return False
