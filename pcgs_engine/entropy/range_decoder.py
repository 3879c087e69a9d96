"""Range decoder in numpy: lane bytes and a distribution in, symbols out. FORMAT.md §5.

All lanes advance in lockstep. Any input terminates after `count` symbols, each inside its
alphabet; bytes past the end of a lane read as zeros.
"""

import numpy as np
import numpy.typing as npt

from .distribution import Distribution
from .range_encoder import MASK32, bit_length

__all__ = ["decode_lanes_numpy"]

Int64Array = npt.NDArray[np.int64]

PAD = 8
"""Zero bytes after each lane: reading stops advancing inside them."""


def decode_lanes_numpy(
    data: bytes,
    sizes: Int64Array,  # [lanes] bytes of each lane
    distribution: Distribution,
    lane_length: int,
) -> Int64Array:
    """Return the `[count]` symbols of lanes lying one after the other in `data`."""
    symbols = np.zeros(distribution.count, dtype=np.int64)
    if distribution.count == 0:
        return symbols
    words, starts = _padded_words(data, sizes)
    last = starts + sizes
    position = np.zeros(len(sizes), dtype=np.int64)  # bits consumed
    low = np.zeros(len(sizes), dtype=np.int64)
    high = np.full(len(sizes), MASK32, dtype=np.int64)
    offset = (words[starts] >> 8) & MASK32
    position += 32
    for step in range(min(lane_length, distribution.count)):
        at = slice(step, None, lane_length)
        active = len(symbols[at])
        start, span = low[:active], high[:active] - low[:active] + 1
        found = distribution.search(at, span, offset[:active])
        symbols[at] = found.symbols
        moved = (span * found.low) >> 16
        top = start - 1 + ((span * found.high) >> 16)
        start = start + moved
        same = 32 - bit_length(start ^ top)
        start = (start << same) & MASK32
        top = ((top << same) & MASK32) | ((1 << same) - 1)
        middle = 32 - bit_length(~((start << 1) & ~(top << 1)) & MASK32)
        low[:active] = (start << middle) & 0x7FFFFFFF
        high[:active] = ((top << middle) & MASK32) | ((1 << middle) - 1) | 0x80000000
        shift, bits = same + middle, position[:active]
        word = words[np.minimum(starts[:active] + (bits >> 3), last[:active])]
        fresh = (word >> (40 - (bits & 7) - shift)) & ((1 << shift) - 1)
        offset[:active] = ((offset[:active] - moved) << shift) | fresh
        position[:active] = bits + shift
    return symbols


def _padded_words(data: bytes, sizes: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Return the 40 bits from each byte on, big-endian, of zero-padded lanes, and lane starts."""
    starts = np.cumsum(sizes + PAD) - (sizes + PAD)
    padded = np.zeros(int(starts[-1] + sizes[-1]) + 2 * PAD, dtype=np.uint8)
    source = np.frombuffer(data, dtype=np.uint8)
    shift = np.repeat(np.arange(len(sizes), dtype=np.int64) * PAD, sizes)
    padded[np.arange(len(source), dtype=np.int64) + shift] = source
    words = np.zeros(len(padded) - PAD, dtype=np.int64)
    for byte in range(5):
        words = (words << 8) | padded[byte : byte + len(words)]
    return words, starts
