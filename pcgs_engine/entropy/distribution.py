"""Distributions the coder knows: compact integer parameters of symbols in, their intervals out.

Each symbol i has a strictly increasing integer cumulative function c with c = 0 below its first
symbol and 65536 above its last. Nothing here touches a float. FORMAT.md §6. The decoders' search
is in `lockstep_laws.py` (numpy) and `native/*.c`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .tables import NORMAL_BITS, NORMAL_RANGE, NORMAL_UNITS, SCALE_SHIFT, VALUE_UNITS, Tables

__all__ = [
    "CodedSymbols",
    "Distribution",
    "Intervals",
    "MixtureDistribution",
    "TableDistribution",
    "TritDistribution",
    "WindowLaw",
    "coded_symbols",
]

Int64Array = npt.NDArray[np.int64]
IntArray = npt.NDArray[np.integer[Any]]

TOTAL = 1 << 16
"""Sum of all probabilities."""
WINDOW = 2048
"""Most symbols of a mixture's window."""
WEIGHT_TOTAL = 256
"""Sum of the two weights of a mixture."""
HALF_RANGE = NORMAL_RANGE * NORMAL_UNITS
Selection = slice | Int64Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """Cumulative values around each symbol, as the encoder takes them."""

    low: npt.NDArray[np.uint16]
    """Below the symbol."""
    last: npt.NDArray[np.uint16]
    """Above the symbol, less 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedSymbols:
    """What the encoder writes for symbols."""

    intervals: Intervals
    beyond: npt.NDArray[np.int32] | None
    """For mixtures: distance past the end of the window for symbols at or past it, else -1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDistribution:
    """A shared table row per symbol: masks, signs, occupancy."""

    tables: Int64Array
    """`[T, L + 1]` cumulative, first 0, last 65536; equal neighbours are impossible symbols."""
    index: IntArray  # [count] row of each symbol

    @property
    def count(self) -> int:
        """Number of symbols."""
        return len(self.index)

    def intervals(self, symbols: IntArray) -> Intervals:
        """Look up both ends."""
        low, high = self.tables[self.index, symbols], self.tables[self.index, symbols + 1]
        return _intervals(low, high)


@dataclass(frozen=True, slots=True, kw_only=True)
class TritDistribution:
    """Three symbols with their own probabilities each time."""

    below: npt.NDArray[np.uint16]  # [count, 3] of `quantization.trit_parameters`
    tables: Tables

    @classmethod
    def from_parameters(cls, below: IntArray, tables: Tables) -> "TritDistribution":
        """Build from `[count, 3]` distances below the largest logit, 0..511 in 1/32."""
        return cls(below=np.ascontiguousarray(below, dtype=np.uint16), tables=tables)

    @property
    def count(self) -> int:
        """Number of symbols."""
        return len(self.below)

    def boundaries(self, at: Selection) -> Int64Array:
        """Return c(1) and c(2) of some symbols, `[2, n]`."""
        powers = self.tables.exp[self.below[at].T]
        sums = np.cumsum(powers, axis=0)
        inner: Int64Array = sums[:2] * (TOTAL - 3) // sums[2]
        inner[0] += 1
        inner[1] += 2
        return inner

    def intervals(self, symbols: IntArray) -> Intervals:
        """Choose among 0, c(1), c(2), 65536."""
        first, second = self.boundaries(slice(None))
        low = np.where(symbols == 0, 0, np.where(symbols == 1, first, second))
        high = np.where(symbols == 0, first, np.where(symbols == 1, second, TOTAL))
        return _intervals(low, high)


@dataclass(frozen=True, slots=True, kw_only=True)
class MixtureDistribution:
    """Mixture of two Gaussians over a window of integers, derived from them; its ends escape."""

    mean: npt.NDArray[np.int32]  # [2, count] 1/256 steps, at most 2**23 in magnitude
    scale: npt.NDArray[np.uint16]  # [2, count] index of the scale table
    weight: npt.NDArray[np.int16]  # [count] of component 0 in 1/256; a weight of 0 drops it
    tables: Tables

    @classmethod
    def from_parameters(
        cls,
        mean: IntArray,  # [2, count] 1/256 steps
        scale: IntArray,  # [2, count] index 0..303
        weight: IntArray,  # [count] 0..256, of component 0
        tables: Tables,
    ) -> "MixtureDistribution":
        """Build from the parameters of two components."""
        return cls(
            mean=np.asarray(mean, dtype=np.int32),
            scale=np.asarray(scale, dtype=np.uint16),
            weight=np.asarray(weight, dtype=np.int16),
            tables=tables,
        )

    @classmethod
    def single(cls, mean: IntArray, scale: IntArray, tables: Tables) -> "MixtureDistribution":
        """Build from one Gaussian per symbol."""
        shape = (2, len(mean))
        return cls(
            mean=np.broadcast_to(np.asarray(mean, dtype=np.int32), shape),
            scale=np.broadcast_to(np.asarray(scale, dtype=np.uint16), shape),
            weight=np.full(len(mean), WEIGHT_TOTAL, dtype=np.int16),
            tables=tables,
        )

    @property
    def count(self) -> int:
        """Number of symbols."""
        return len(self.weight)

    def law(self, at: Selection) -> "WindowLaw":
        """Return window and cumulative function of some symbols."""
        weight = self.weight[at].astype(np.int64)
        if (weight == WEIGHT_TOTAL).all():
            parts = [_component(self, 0, at)]
            weights = [weight]
        else:
            (mean0, scale0), (mean1, scale1) = _component(self, 0, at), _component(self, 1, at)
            first, second = weight == 0, weight == WEIGHT_TOTAL
            parts = [
                (np.where(first, mean1, mean0), np.where(first, scale1, scale0)),
                (np.where(second, mean0, mean1), np.where(second, scale0, scale1)),
            ]
            weights = [weight, WEIGHT_TOTAL - weight]
        return _window_law(parts, weights, self.tables)

    def intervals(self, symbols: IntArray) -> Intervals:
        """Evaluate both ends; symbols outside their window count as its end."""
        return _coded_mixture(self, symbols).intervals


Distribution = MixtureDistribution | TritDistribution | TableDistribution


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowLaw:
    """Windows of mixtures; places are symbols less `low`, 0..`width`."""

    low: Int64Array  # [n]
    width: Int64Array  # [n]
    step: Int64Array
    start: Int64Array
    """`[components, n]`: entry of the normal table = (place * step + start) >> 20, clipped."""
    weight: Int64Array  # [components, n] in 1/256, times the free part of 65536
    clipped: bool
    """Whether a window ends before its tails: the mass below place 0 may then count."""
    tables: Tables

    def cumulative(self, place: Int64Array) -> Int64Array:
        """Return c at each place, 0..width + 1."""
        entry = (place * self.step + self.start) >> SCALE_SHIFT
        parts = np.take(self.tables.normal, entry, mode="clip") * self.weight
        value = (parts.sum(axis=0) >> (NORMAL_BITS + 8)) + place
        return np.where(place <= 0, 0, np.where(place > self.width, TOTAL, value))


def coded_symbols(distribution: Distribution, symbols: IntArray) -> CodedSymbols:
    """Return the intervals of symbols inside their alphabets and what lies beyond windows."""
    if isinstance(distribution, MixtureDistribution):
        return _coded_mixture(distribution, symbols)
    return CodedSymbols(intervals=distribution.intervals(symbols), beyond=None)


def _coded_mixture(distribution: MixtureDistribution, symbols: IntArray) -> CodedSymbols:
    law = distribution.law(slice(None))
    place = symbols - law.low
    beyond = np.maximum(np.maximum(-place, place - law.width), -1)
    place = np.clip(place, 0, law.width)
    found = _intervals(law.cumulative(place), law.cumulative(place + 1))
    return CodedSymbols(intervals=found, beyond=beyond.astype(np.int32))


def _component(law: MixtureDistribution, k: int, at: Selection) -> tuple[Int64Array, Int64Array]:
    return law.mean[k][at].astype(np.int64), law.scale[k][at].astype(np.int64)


def _window_law(
    parts: list[tuple[Int64Array, Int64Array]], weights: list[Int64Array], tables: Tables
) -> WindowLaw:
    reach = [tables.reach[scale] for _, scale in parts]
    centre = sum((w * mean for w, (mean, _) in zip(weights, parts, strict=True)), start=np.int64(0))
    centre = centre >> 16
    lows = [mean - r for (mean, _), r in zip(parts, reach, strict=True)]
    highs = [mean + r for (mean, _), r in zip(parts, reach, strict=True)]
    tail_low = np.minimum(lows[0], lows[-1]) >> 8
    low = np.maximum(tail_low, centre - (WINDOW // 2 - 1))
    high = np.minimum(-(-np.maximum(highs[0], highs[-1]) >> 8), centre + WINDOW // 2)
    free = TOTAL - 1 - (high - low)
    inverse = np.stack([tables.inverse_scale[scale] for _, scale in parts])
    place = low * VALUE_UNITS - VALUE_UNITS // 2
    start = (place - np.stack([mean for mean, _ in parts])) * inverse
    start += HALF_RANGE << SCALE_SHIFT
    return WindowLaw(
        low=low,
        width=high - low,
        step=inverse * VALUE_UNITS,
        start=start,
        weight=np.stack(weights) * free,
        clipped=bool((low > tail_low).any()),
        tables=tables,
    )


def _intervals(low: Int64Array, high: Int64Array) -> Intervals:
    return Intervals(low=low.astype(np.uint16), last=(high - 1).astype(np.uint16))
