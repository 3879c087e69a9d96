"""Lanes of a stream: which symbols of a pass lie in which lane, and the order of lockstep.

Lane j holds rows j R .. (j + 1) R - 1; in a pass each row has a number of symbols. FORMAT.md §5.3.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = [
    "LANE_LIMIT",
    "Counts",
    "LockstepOrder",
    "lane_bounds",
    "lockstep_order",
    "rows_per_lane",
]

Int64Array = npt.NDArray[np.int64]
Counts = int | Int64Array
"""Symbols of each row in a pass: one number for all rows, or `[rows]`."""

WANTED_SYMBOLS = 4096
"""A lane costs about 3.5 bytes: 0.7 % at one bit a symbol."""
FEWEST_SYMBOLS = 512
WANTED_LANES = 8
"""A numpy decoder needs lanes side by side, in small streams too."""
ROW_LIMIT = 1 << 16
"""Most rows of a lane."""
LANE_LIMIT = 1 << 13
"""Most symbols of a lane, all passes together: a lane decodes one symbol after the other, so that
a few bytes could keep a numpy decoder busy for minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockstepOrder:
    """Symbols of a pass step by step: step t holds symbol t of every lane that has one."""

    rank: Int64Array  # [lanes] lanes by falling length: those of a step are the first ones
    symbols: Int64Array  # [count] index of the symbol at each place of this order
    ends: Int64Array  # [steps + 1] first place of each step

    def blocks(self, most: int) -> list[tuple[int, int]]:
        """Return ranges of steps with at most `most` symbols each, one step at least."""
        result, begin, steps = [], 0, len(self.ends) - 1
        while begin < steps:
            bound = int(self.ends[begin]) + most
            end = int(np.searchsorted(self.ends, bound, side="right")) - 1
            end = min(max(end, begin + 1), steps)
            result.append((begin, end))
            begin = end
        return result


def rows_per_lane(rows: int, symbols_per_row: float, most: int = WANTED_SYMBOLS) -> int:
    """Return how many rows an encoder puts into a lane of at most about `most` symbols."""
    total = rows * symbols_per_row
    symbols = min(max(total / WANTED_LANES, FEWEST_SYMBOLS), most)
    return min(max(round(symbols / max(symbols_per_row, 1e-9)), 1), ROW_LIMIT)


def lane_bounds(rows: int, per_lane: int, counts: Counts) -> Int64Array:
    """Return `[lanes + 1]`: the first symbol of each lane in a pass, and their number.

    Raises:
        ValueError: `counts` has another length than `rows`.
    """
    lanes = -(-rows // per_lane)
    edges = np.minimum(np.arange(lanes + 1, dtype=np.int64) * per_lane, rows)
    if isinstance(counts, int):
        return np.multiply(edges, counts, dtype=np.int64)
    if len(counts) != rows:
        raise ValueError(f"{len(counts)} symbol counts for {rows} rows")
    ends = np.zeros(rows + 1, dtype=np.int64)
    np.cumsum(counts, out=ends[1:])
    bounds: Int64Array = ends[edges]
    return bounds


def lockstep_order(bounds: Int64Array) -> LockstepOrder:
    """Return the order in which decoders that run all lanes side by side meet the symbols."""
    lengths = np.diff(bounds)
    rank = np.argsort(-lengths, kind="stable")
    longest = lengths[rank]
    steps = int(longest.max(initial=0))
    # Lanes longer than t take part in step t.
    active = len(lengths) - np.searchsorted(longest[::-1], np.arange(steps), side="right")
    ends = np.zeros(steps + 1, dtype=np.int64)
    np.cumsum(active, out=ends[1:])
    step = np.arange(int(ends[-1]), dtype=np.int64)
    step -= np.repeat(np.cumsum(longest) - longest, longest)
    symbols = np.empty_like(step)
    place = ends[step]
    place += np.repeat(np.arange(len(lengths), dtype=np.int64), longest)
    step += np.repeat(bounds[:-1][rank], longest)
    symbols[place] = step
    return LockstepOrder(rank=rank, symbols=symbols, ends=ends)
