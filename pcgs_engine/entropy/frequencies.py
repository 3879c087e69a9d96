"""Static tables: symbol counts in, small integer frequencies and cumulative rows out.

FORMAT.md §6.4. Frequencies are 0 (never) or 1..4095; readers rebuild the same rows.
"""

import numpy as np
import numpy.typing as npt

from .distribution import TOTAL

__all__ = ["bernoulli_rows", "bit_probability", "cumulative_rows", "frequencies"]

Int64Array = npt.NDArray[np.int64]

LARGEST = 4095


def frequencies(
    counts: Int64Array,  # [T, L]
) -> Int64Array:
    """Scale counts so that each row's largest is 4095 and what occurs is at least 1."""
    top = np.maximum(counts.max(axis=1, keepdims=True), 1)
    scaled = (counts * LARGEST + top // 2) // top
    return np.where(counts > 0, np.maximum(scaled, 1), 0)


def cumulative_rows(
    frequency: Int64Array,  # [T, L], each row with a positive entry
) -> Int64Array:
    """Return `[T, L + 1]` cumulative values from 0 to 65536."""
    shape = (len(frequency), 1)
    before = np.concatenate([np.zeros(shape, np.int64), np.cumsum(frequency, axis=1)], axis=1)
    used = (frequency > 0).astype(np.int64)
    steps = np.concatenate([np.zeros(shape, np.int64), np.cumsum(used, axis=1)], axis=1)
    rows: Int64Array = before * (TOTAL - steps[:, -1:]) // before[:, -1:] + steps
    return rows


def bit_probability(zeros: int, total: int) -> int:
    """Return the probability of a 0 bit in 1/65536, never 0 or 1."""
    return min(max((zeros * TOTAL + total // 2) // max(total, 1), 1), TOTAL - 1)


def bernoulli_rows(
    probability: Int64Array,  # [T] of a 0 bit, 1..65535
) -> Int64Array:
    """Return `[T, 3]` cumulative rows of bits."""
    ends = np.zeros((len(probability), 3), dtype=np.int64)
    ends[:, 1], ends[:, 2] = probability, TOTAL
    return ends
