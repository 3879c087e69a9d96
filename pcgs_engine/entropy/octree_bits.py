"""Bits of the split tree, in lanes that advance together: a reader and a writer. FORMAT.md §7.1.

Both keep the adaptive model; the reader takes bits from the range code of §5.1, the writer notes
intervals for its encoder. Bits that no model can predict lie packed in a second stream.
"""

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt

from .distribution import TOTAL, Intervals
from .octree_model import BitModel, View, context_rows
from .range_encoder import MASK32

__all__ = ["LaneReader", "LaneWriter", "TreeCoder", "lane_count"]

Int64Array = npt.NDArray[np.int64]

MOST_LANES = 256
PAD = 8
"""Zero bytes after each lane: reading stops advancing inside them."""


def lane_count(points: int) -> int:
    """Return the lanes of a tree: many let numpy decode fast, each costs about 2 bytes."""
    return min(1 + (points >> 7), 16 + (points >> 10), MOST_LANES)


class TreeCoder(ABC):
    """Asks for bits; a writer is told them, a reader finds them."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        self._model = BitModel(lanes)

    def code(
        self, kind: Int64Array | int, height: int, view: View, known: Int64Array | None
    ) -> Int64Array:
        """Code the bits `[n]` of one pass over nodes."""
        rows, sets = context_rows(kind, height, view)
        result = np.zeros(len(sets), dtype=np.int64)
        for begin in range(0, len(sets), self.lanes):
            part = slice(begin, begin + self.lanes)
            ones = self._model.predict(rows[:, part], sets[part])
            bits = self._step(ones, None if known is None else known[part])
            self._model.update(rows[:, part], sets[part], ones, bits)
            result[part] = bits
        return result

    @abstractmethod
    def _step(self, ones: Int64Array, known: Int64Array | None) -> Int64Array:
        """Code one bit in each of the first lanes; `ones` is 65536 P(1)."""

    @abstractmethod
    def raw(self, width: int, count: int, known: Int64Array | None) -> Int64Array:
        """Code `count` integers of `width` bits."""


class LaneWriter(TreeCoder):
    """Collects intervals and raw bits."""

    def __init__(self, lanes: int) -> None:
        super().__init__(lanes)
        self._steps: list[tuple[Int64Array, Int64Array]] = []
        self._raw: list[npt.NDArray[np.uint8]] = []

    def _step(self, ones: Int64Array, known: Int64Array | None) -> Int64Array:
        assert known is not None  # noqa: S101 - the walk's own promise
        self._steps.append((known, TOTAL - ones))
        return known

    def raw(self, width: int, count: int, known: Int64Array | None) -> Int64Array:  # noqa: D102
        assert known is not None  # noqa: S101 - the walk's own promise
        bits = known[:, None] >> np.arange(width - 1, -1, -1) & 1
        self._raw.append(bits.astype(np.uint8).ravel())
        return known

    def intervals(self) -> tuple[Intervals, int]:
        """Return the intervals, lane after lane, and the steps; idle lanes code certainties."""
        steps = len(self._steps)
        low = np.zeros((self.lanes, steps), dtype=np.uint16)
        last = np.full((self.lanes, steps), TOTAL - 1, dtype=np.uint16)
        for step, (bits, split) in enumerate(self._steps):
            low[: len(bits), step] = np.where(bits > 0, split, 0)
            last[: len(bits), step] = np.where(bits > 0, TOTAL, split) - 1
        return Intervals(low=low.ravel(), last=last.ravel()), steps

    def raw_bytes(self) -> bytes:
        """Return the packed raw bits."""
        return np.packbits(np.concatenate([*self._raw, np.zeros(0, np.uint8)])).tobytes()


class LaneReader(TreeCoder):
    """Decodes lanes that lie one after the other; bytes past an end read as zeros."""

    def __init__(self, data: bytes, sizes: Int64Array, raw: bytes) -> None:
        super().__init__(len(sizes))
        starts = np.cumsum(sizes + PAD) - (sizes + PAD)
        padded = np.zeros(int(starts[-1] + sizes[-1]) + 2 * PAD, dtype=np.uint8)
        source = np.frombuffer(data, dtype=np.uint8)
        shift = np.repeat(np.arange(len(sizes), dtype=np.int64) * PAD, sizes)
        padded[np.arange(len(source), dtype=np.int64) + shift] = source
        words = np.zeros(len(padded) - PAD, dtype=np.int64)
        for byte in range(5):
            words = (words << 8) | padded[byte : byte + len(words)]
        self._words, self._last = words, (starts + sizes) << 3
        self._position = (starts << 3) + 32  # in bits
        self._offset = (words[starts] >> 8) & MASK32
        self._low = np.zeros(len(sizes), dtype=np.int64)
        self._high = np.full(len(sizes), MASK32, dtype=np.int64)
        self._raw = np.frombuffer(raw, dtype=np.uint8)
        self.raw_at = 0

    def _step(self, ones: Int64Array, known: Int64Array | None) -> Int64Array:
        n = len(ones)
        low, offset = self._low[:n], self._offset[:n]
        cut = ((self._high[:n] - low + 1) * (TOTAL - ones)) >> 16
        above = offset >= cut
        top = np.where(above, self._high[:n], low + cut - 1)
        moved = np.where(above, cut, 0)
        start = low + moved
        same = 32 - _bit_length(start ^ top)
        start = (start << same) & MASK32
        top = ((top << same) & MASK32) | ((1 << same) - 1)
        middle = 32 - _bit_length(~((start << 1) & ~(top << 1)) & MASK32)
        self._low[:n] = (start << middle) & 0x7FFFFFFF
        self._high[:n] = ((top << middle) & MASK32) | ((1 << middle) - 1) | 0x80000000
        shift, bits = same + middle, self._position[:n]
        word = self._words[np.minimum(bits, self._last[:n]) >> 3]
        fresh = (word >> (40 - (bits & 7) - shift)) & ((1 << shift) - 1)
        self._offset[:n] = ((offset - moved) << shift) | fresh
        self._position[:n] = bits + shift
        found: Int64Array = above.astype(np.int64)
        return found

    def raw(self, width: int, count: int, known: Int64Array | None) -> Int64Array:  # noqa: D102
        size = width * count
        first, end = self.raw_at >> 3, (self.raw_at + size + 7) >> 3
        found = np.unpackbits(self._raw[first:end])[self.raw_at & 7 :][:size]
        bits = np.zeros(size, dtype=np.int64)
        bits[: len(found)] = found
        self.raw_at += size
        weights = 1 << np.arange(width - 1, -1, -1, dtype=np.int64)
        result: Int64Array = (bits.reshape(count, width) * weights).sum(axis=1)
        return result


def _bit_length(values: Int64Array) -> Int64Array:
    """Return the bit length of integers in 0..2**53."""
    length: Int64Array = np.frexp(values.astype(np.float64))[1].astype(np.int64)
    return length
