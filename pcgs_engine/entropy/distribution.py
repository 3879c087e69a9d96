"""Distributions the coder knows: integer parameters in, 16-bit cumulative values out.

Each symbol i has a strictly increasing integer cumulative function c with c = 0 below its first
symbol and 65536 above its last. Nothing here touches a float. FORMAT.md §6.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .tables import NORMAL_BITS, NORMAL_RANGE, NORMAL_UNITS, SCALE_SHIFT, VALUE_UNITS, Tables

__all__ = [
    "Distribution",
    "Found",
    "Intervals",
    "MixtureDistribution",
    "TableDistribution",
    "TritDistribution",
]

Int64Array = npt.NDArray[np.int64]

TOTAL = 1 << 16
"""Sum of all probabilities."""
WINDOW = 2048
"""Most symbols of a mixture's window."""
HALF_RANGE = NORMAL_RANGE * NORMAL_UNITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """Cumulative values below and above each symbol."""

    low: Int64Array
    high: Int64Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Result of a search: symbols and their intervals."""

    symbols: Int64Array
    low: Int64Array
    high: Int64Array


class Distribution(Protocol):
    """What encoders and the numpy decoder ask of a distribution over `count` symbols."""

    @property
    def count(self) -> int:
        """Number of symbols it describes."""
        ...

    def intervals(self, symbols: Int64Array) -> Intervals:
        """Return the intervals of all `count` symbols, each inside its alphabet."""
        ...

    def search(self, at: slice, span: Int64Array, offset: Int64Array) -> Found:
        """Find, for symbols `at`, the largest x with `span * c(x) >> 16 <= offset`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDistribution:
    """A shared table row per symbol: masks, signs, occupancy."""

    tables: Int64Array
    """`[T, L + 1]` cumulative, first 0, last 65536; equal neighbours are impossible symbols."""
    index: Int64Array  # [count] row of each symbol

    @property
    def count(self) -> int:
        """Number of symbols."""
        return len(self.index)

    def intervals(self, symbols: Int64Array) -> Intervals:
        """Look up both ends."""
        return Intervals(
            low=self.tables[self.index, symbols], high=self.tables[self.index, symbols + 1]
        )

    def search(self, at: slice, span: Int64Array, offset: Int64Array) -> Found:
        """Bisect the rows."""
        rows = self.index[at]
        low = np.zeros(len(rows), dtype=np.int64)
        high = np.full(len(rows), self.tables.shape[1] - 1, dtype=np.int64)
        for _ in range((self.tables.shape[1] - 2).bit_length()):
            middle = (low + high) >> 1
            below = (span * self.tables[rows, middle]) >> 16 <= offset
            low = np.where(below, middle, low)
            high = np.where(below, high, middle)
        return Found(symbols=low, low=self.tables[rows, low], high=self.tables[rows, low + 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class TritDistribution:
    """Three symbols with their own probabilities each time."""

    first: Int64Array  # [count] c(1)
    second: Int64Array  # [count] c(2)

    @classmethod
    def from_parameters(
        cls,
        below: Int64Array,  # [count, 3]
        tables: Tables,
    ) -> "TritDistribution":
        """Build from quantized logits (`quantization.trit_parameters`)."""
        powers = tables.exp[below]
        total = powers.sum(axis=1)
        first = 1 + powers[:, 0] * (TOTAL - 3) // total
        second = 2 + (powers[:, 0] + powers[:, 1]) * (TOTAL - 3) // total
        return cls(first=first, second=second)

    @property
    def count(self) -> int:
        """Number of symbols."""
        return len(self.first)

    def intervals(self, symbols: Int64Array) -> Intervals:
        """Choose among 0, c(1), c(2), 65536."""
        low = np.where(symbols == 0, 0, np.where(symbols == 1, self.first, self.second))
        high = np.where(symbols == 0, self.first, np.where(symbols == 1, self.second, TOTAL))
        return Intervals(low=low, high=high)

    def search(self, at: slice, span: Int64Array, offset: Int64Array) -> Found:
        """Compare with both inner boundaries."""
        first, second = self.first[at], self.second[at]
        above = (span * first) >> 16 <= offset
        last = (span * second) >> 16 <= offset
        low = np.where(last, second, np.where(above, first, 0))
        high = np.where(last, TOTAL, np.where(above, second, first))
        return Found(symbols=above.astype(np.int64) + last, low=low, high=high)


@dataclass(frozen=True, slots=True, kw_only=True)
class MixtureDistribution:
    """Mixture of two Gaussians over a window [low, high] of integers; its ends are escapes."""

    mean: Int64Array  # [2, count] 1/256 steps
    inverse: Int64Array  # [2, count] inverse sigma of the table bank
    weight: Int64Array  # [2, count] in 1/256, sum 256
    low: Int64Array  # [count]
    high: Int64Array  # [count]
    tables: Tables

    @classmethod
    def from_parameters(
        cls,
        mean: Int64Array,  # [2, count] 1/256 steps
        scale: Int64Array,  # [2, count] index 0..255
        weight: Int64Array,  # [count] 0..256, of component 0
        tables: Tables,
    ) -> "MixtureDistribution":
        """Derive the windows; a component of weight 0 is replaced by the other."""
        first, second = weight == 0, weight == 256
        mean = np.stack([np.where(first, mean[1], mean[0]), np.where(second, mean[0], mean[1])])
        scale = np.stack(
            [np.where(first, scale[1], scale[0]), np.where(second, scale[0], scale[1])]
        )
        reach = tables.reach[scale]
        centre = (weight * mean[0] + (256 - weight) * mean[1]) >> 16
        return cls(
            mean=mean,
            inverse=tables.inverse_scale[scale],
            weight=np.stack([weight, 256 - weight]),
            low=np.maximum((mean - reach).min(axis=0) >> 8, centre - (WINDOW // 2 - 1)),
            high=np.minimum(-((-(mean + reach).max(axis=0)) >> 8), centre + WINDOW // 2),
            tables=tables,
        )

    @classmethod
    def single(cls, mean: Int64Array, scale: Int64Array, tables: Tables) -> "MixtureDistribution":
        """Build from one Gaussian per symbol."""
        weight = np.full(len(mean), 256, dtype=np.int64)
        return cls.from_parameters(np.stack([mean, mean]), np.stack([scale, scale]), weight, tables)

    @property
    def count(self) -> int:
        """Number of symbols."""
        return len(self.low)

    def intervals(self, symbols: Int64Array) -> Intervals:
        """Evaluate both ends; symbols must lie in their windows."""
        high = self._cumulative(symbols + 1)
        return Intervals(
            low=self._cumulative(symbols),
            high=np.where(symbols == self.high, TOTAL, high),
        )

    def search(self, at: slice, span: Int64Array, offset: Int64Array) -> Found:
        """Bisect the windows."""
        part = self._rows(at)
        low, high = part.low, part.high + 1
        below_low, above_high = np.zeros_like(low), np.full_like(low, TOTAL)
        for _ in range(int((high - low).max() - 1).bit_length()):
            middle = (low + high) >> 1
            value = part._cumulative(middle)
            below = (span * value) >> 16 <= offset
            low = np.where(below, middle, low)
            below_low = np.where(below, value, below_low)
            high = np.where(below, high, middle)
            above_high = np.where(below, above_high, value)
        return Found(symbols=low, low=below_low, high=above_high)

    def _rows(self, at: slice) -> "MixtureDistribution":
        return MixtureDistribution(
            mean=self.mean[:, at],
            inverse=self.inverse[:, at],
            weight=self.weight[:, at],
            low=self.low[at],
            high=self.high[at],
            tables=self.tables,
        )

    def _cumulative(self, symbols: Int64Array) -> Int64Array:
        place = symbols * VALUE_UNITS - VALUE_UNITS // 2
        z = ((place - self.mean) * self.inverse) >> SCALE_SHIFT
        z += HALF_RANGE
        # Clipping here is the clip of z to -HALF_RANGE..HALF_RANGE.
        parts = np.take(self.tables.normal, z, mode="clip") * self.weight
        free = TOTAL - 1 - (self.high - self.low)
        value = (((parts[0] + parts[1]) * free) >> (NORMAL_BITS + 8)) + (symbols - self.low)
        return np.where(symbols <= self.low, 0, value)
