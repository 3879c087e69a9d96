"""Morton codes: lattice coordinates in, 63-bit interleaved codes out, and back."""

import numpy as np
import numpy.typing as npt

__all__ = ["MAX_DEPTH", "morton_decode", "morton_encode"]

Int64Array = npt.NDArray[np.int64]

MAX_DEPTH = 21
"""Bits per axis that fit a signed 64-bit code."""
SPREAD = (
    (32, 0x1F00000000FFFF),
    (16, 0x1F0000FF0000FF),
    (8, 0x100F00F00F00F00F),
    (4, 0x10C30C30C30C30C3),
    (2, 0x1249249249249249),
)
"""Shift and mask of each halving step that moves bit i to bit 3 i."""


def morton_encode(cells: Int64Array) -> Int64Array:
    """Interleave `[N, 3]` coordinates in 0..2**21-1: bit i of x, y, z goes to 3i+2, 3i+1, 3i."""
    code = np.zeros(len(cells), dtype=np.int64)
    for axis in range(3):
        bits = cells[:, axis].astype(np.int64)
        for shift, mask in SPREAD:
            bits = (bits | bits << shift) & mask
        code |= bits << (2 - axis)
    return code


def morton_decode(code: Int64Array) -> Int64Array:
    """Return the `[N, 3]` coordinates of `[N]` codes."""
    masks = [mask for _, mask in SPREAD[::-1]] + [0x1FFFFF]
    shifts = [shift for shift, _ in SPREAD[::-1]]
    cells = np.empty((len(code), 3), dtype=np.int64)
    for axis in range(3):
        bits = code >> (2 - axis) & masks[0]
        for shift, mask in zip(shifts, masks[1:], strict=True):
            bits = (bits | bits >> shift) & mask
        cells[:, axis] = bits
    return cells
