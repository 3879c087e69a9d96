"""bfloat16: the upper half of a float32, how files store scales. FORMAT.md §4.3."""

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["bfloat16_bits", "from_bfloat16_bits", "round_bfloat16", "round_up_bfloat16"]

FloatArray = npt.NDArray[np.float32]

LOW_BITS = 0xFFFF


def round_bfloat16(values: npt.NDArray[np.floating[Any]]) -> FloatArray:
    """Return the nearest bfloat16 values (ties away from zero), as float32."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + np.uint32(0x8000)) & np.uint32(0xFFFF0000)).view(np.float32)


def round_up_bfloat16(values: npt.NDArray[np.floating[Any]]) -> FloatArray:
    """Return the smallest bfloat16 values that are not below `values` (> 0)."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + np.uint32(LOW_BITS)) & np.uint32(0xFFFF0000)).view(np.float32)


def bfloat16_bits(values: FloatArray) -> npt.NDArray[np.uint16]:
    """Return the 16 bits of each value; the lower half of the float32 is dropped."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32) >> np.uint32(16)
    return bits.astype(np.uint16)


def from_bfloat16_bits(bits: npt.NDArray[np.uint16]) -> FloatArray:
    """Return the float32 values of 16-bit patterns."""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)
