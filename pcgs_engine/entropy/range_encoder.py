"""Range encoder in numpy: symbol intervals in, one byte string per lane out. FORMAT.md §5.

Lanes (independent pieces of the symbols) advance in lockstep; the bytes are those of torchac on the
same symbols (docs/FORMAT.md).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .distribution import Intervals
from .lane_layout import lockstep_order

__all__ = ["encode_lanes_numpy"]

Int64Array = npt.NDArray[np.int64]

MASK32 = 0xFFFFFFFF
SYMBOLS_AT_ONCE = 1 << 20
"""Symbols coded together: bounds memory, does not change bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Events:
    """Bits leaving the encoder, per step and lane.

    The top `count` bits of `bits`, with `pending` inverted copies of the first after it. `count` 0
    means that nothing leaves.
    """

    bits: Int64Array  # [steps, lanes] 32-bit
    count: Int64Array
    pending: Int64Array


def encode_lanes_numpy(
    intervals: Intervals,
    bounds: Int64Array,  # [lanes + 1]
) -> list[bytes]:
    """Encode symbols `bounds[j]` .. `bounds[j + 1] - 1` as lane j, each by itself."""
    result: list[bytes] = []
    begin, lanes = 0, len(bounds) - 1
    while begin < lanes:
        most = int(bounds[begin]) + SYMBOLS_AT_ONCE
        end = max(int(np.searchsorted(bounds, most, side="right")) - 1, begin + 1)
        result += _collect_bytes(_run(intervals, bounds[begin : end + 1]))
        begin = end
    return result


def _bit_length(values: Int64Array) -> Int64Array:
    """Return the bit length of integers in 0..2**53."""
    return np.frexp(values.astype(np.float64))[1].astype(np.int64)


def _run(intervals: Intervals, bounds: Int64Array) -> _Events:
    order = lockstep_order(bounds)
    lows = intervals.low[order.symbols].astype(np.int64)
    highs = intervals.last[order.symbols].astype(np.int64) + 1
    lanes, steps = len(order.rank), len(order.ends) - 1
    shape = (steps + 1, lanes)
    bits, count, pending = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    low, high = np.zeros(lanes, dtype=np.int64), np.full(lanes, MASK32, dtype=np.int64)
    waiting = np.zeros(lanes, dtype=np.int64)
    for step in range(steps):
        at = slice(int(order.ends[step]), int(order.ends[step + 1]))
        active = at.stop - at.start
        start, span = low[:active], high[:active] - low[:active] + 1
        top = start - 1 + ((span * highs[at]) >> 16)
        start = start + ((span * lows[at]) >> 16)
        same = 32 - _bit_length(start ^ top)
        bits[step, :active], count[step, :active] = start, same
        held = waiting[:active]
        pending[step, :active] = np.where(same > 0, held, 0)
        start = (start << same) & MASK32
        top = ((top << same) & MASK32) | ((1 << same) - 1)
        middle = 32 - _bit_length(~((start << 1) & ~(top << 1)) & MASK32)
        waiting[:active] = np.where(same > 0, 0, held) + middle
        low[:active] = (start << middle) & 0x7FFFFFFF
        high[:active] = ((top << middle) & MASK32) | ((1 << middle) - 1) | 0x80000000
    bits[steps] = np.where(low < 0x40000000, 0, 0x80000000)
    count[steps], pending[steps] = 1, waiting + 1
    back = np.argsort(order.rank)
    return _Events(bits=bits[:, back], count=count[:, back], pending=pending[:, back])


def _collect_bytes(events: _Events) -> list[bytes]:
    """Write the bits of each lane, padded with zeros to a byte."""
    bits, count, pending = (a.T.ravel() for a in (events.bits, events.count, events.pending))
    lanes = events.bits.shape[1]
    sizes = (count + pending).reshape(lanes, -1)
    lane_bits = sizes.sum(axis=1)
    lane_bytes = (lane_bits + 7) >> 3
    lane_start = (np.cumsum(lane_bytes) - lane_bytes) * 8
    start = (np.cumsum(sizes, axis=1) - sizes + lane_start[:, None]).ravel()
    out = np.zeros(int(lane_bytes.sum()) * 8, dtype=np.uint8)
    chosen = np.flatnonzero(count)
    bits, count, pending, start = bits[chosen], count[chosen], pending[chosen], start[chosen]
    first = (bits >> 31).astype(np.uint8)
    out[start] = first
    if pending.any():
        ends = np.cumsum(pending)
        place = np.arange(int(ends[-1])) + np.repeat(start + 1 - (ends - pending), pending)
        out[place] = np.repeat(1 - first, pending)
    for bit in range(1, int(count.max(initial=1))):
        more = count > bit
        out[start[more] + pending[more] + bit] = bits[more] >> (31 - bit) & 1
    data = np.packbits(out).tobytes()
    ends = np.cumsum(lane_bytes)
    return [data[e - n : e] for e, n in zip(ends.tolist(), lane_bytes.tolist(), strict=True)]
