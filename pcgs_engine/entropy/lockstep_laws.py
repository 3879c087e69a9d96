"""Symbol search of the numpy decoder: distributions in lockstep order in, intervals out.

All lanes look for one symbol at a time: given `count`, the largest x with c(x) <= count. Buffers
are made once per block, so that a step costs few calls. FORMAT.md §5.1, §6.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .distribution import (
    TOTAL,
    Distribution,
    MixtureDistribution,
    TableDistribution,
    TritDistribution,
    WindowLaw,
)
from .tables import NORMAL_BITS, SCALE_SHIFT

__all__ = ["DecodedSymbols", "LockstepLaw", "lockstep_law"]

Int64Array = npt.NDArray[np.int64]

EASY_SHARE = 0.95
"""Windows up to this quantile are bisected by all lanes together, the rest by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedSymbols:
    """Symbols of a pass, or of a part of it."""

    symbols: npt.NDArray[np.int32]
    edges: npt.NDArray[np.int8] | None
    """For mixtures: -1 where the symbol is the lowest of its window, 1 the highest, else 0."""


class LockstepLaw(Protocol):
    """A part of a pass: some steps, all their lanes."""

    def search(self, at: slice, count: Int64Array) -> Int64Array:
        """Find the symbols at places `at`; returns c below and above, `[2, n]`, a buffer."""
        ...

    def decoded(self) -> DecodedSymbols:
        """Return what was found at all places."""
        ...


def lockstep_law(
    distribution: Distribution,
    at: Int64Array,  # symbols in lockstep order
    lanes: int,
) -> LockstepLaw:
    """Return the searcher of some symbols, at most `lanes` of them at once."""
    if isinstance(distribution, MixtureDistribution):
        return _MixtureLaw(distribution.law(at), lanes)
    if isinstance(distribution, TritDistribution):
        return _TritLaw(distribution.boundaries(at), lanes)
    return _TableLaw(distribution, at, lanes)


class _MixtureLaw:
    """Bisects windows."""

    def __init__(self, law: WindowLaw, lanes: int) -> None:
        parts = len(law.weight)
        self._law = law
        self._normal = law.tables.normal.astype(np.int64)
        self._places = np.zeros(len(law.low), dtype=np.int64)
        self._brackets = np.empty((2, 2, lanes), dtype=np.int64)
        self._probe = np.empty((2, lanes), dtype=np.int64)
        self._work = np.empty((2, parts, lanes), dtype=np.int64)
        self._mask = np.empty((2, lanes), dtype=np.bool_)
        easy = np.quantile(law.width, EASY_SHARE, method="higher") if len(law.low) else 0
        self._easy_rounds = int(easy).bit_length()

    def search(self, at: slice, count: Int64Array) -> Int64Array:
        n, law = len(count), self._law
        ends = self._brackets[:, :, :n]  # [below, above], [place, c]
        width = law.width[at]
        ends[0].fill(0)
        np.add(width, 1, out=ends[1, 0])
        ends[1, 1].fill(TOTAL)
        rounds = int(width.max()).bit_length()
        law_at = (law.step[:, at], law.start[:, at], law.weight[:, at])
        together = rounds if rounds <= self._easy_rounds + 1 else self._easy_rounds
        self._bisect(ends, law_at, count, together)
        if together < rounds:
            open_ = np.flatnonzero(ends[1, 0] - ends[0, 0] > 1)
            if len(open_):
                rest = np.ascontiguousarray(ends[:, :, open_])
                law_rest = tuple(a[:, open_] for a in law_at)
                self._bisect(rest, law_rest, count[open_], rounds - together)
                ends[:, :, open_] = rest
        self._places[at] = ends[0, 0]
        return ends[:, 1]

    def _bisect(
        self,
        ends: Int64Array,  # [2, 2, n]
        law: tuple[Int64Array, ...],
        count: Int64Array,
        rounds: int,
    ) -> None:
        n = len(count)
        step, start, weight = law
        below, above = ends
        probe, (entry, parts), (fits, misses) = (
            self._probe[:, :n], self._work[:, :, :n], self._mask[:, :n]
        )  # fmt: skip
        place, value = probe
        for _ in range(rounds):
            np.add(below[0], above[0], out=place)
            np.right_shift(place, 1, out=place)
            np.multiply(step, place, out=entry)
            np.add(entry, start, out=entry)
            np.right_shift(entry, SCALE_SHIFT, out=entry)
            self._normal.take(entry, out=parts, mode="clip")
            np.multiply(parts, weight, out=parts)
            if len(parts) == 2:
                np.add(parts[0], parts[1], out=value)
                np.right_shift(value, NORMAL_BITS + 8, out=value)
            else:
                np.right_shift(parts[0], NORMAL_BITS + 8, out=value)
            np.add(value, place, out=value)
            if self._law.clipped:
                np.multiply(value, place > 0, out=value)
            np.less_equal(value, count, out=fits)
            np.logical_not(fits, out=misses)
            np.copyto(below, probe, where=fits)
            np.copyto(above, probe, where=misses)

    def decoded(self) -> DecodedSymbols:
        edges = (self._places == self._law.width).astype(np.int8)
        edges -= self._places == 0
        symbols = self._places + self._law.low
        return DecodedSymbols(symbols=symbols.astype(np.int32), edges=edges)


class _TritLaw:
    """Compares with both inner boundaries."""

    def __init__(self, boundaries: Int64Array, lanes: int) -> None:
        self._boundaries = boundaries  # [2, n]
        self._found = np.zeros(boundaries.shape, dtype=np.bool_)
        self._ends = np.empty((2, lanes), dtype=np.int64)

    def search(self, at: slice, count: Int64Array) -> Int64Array:
        inner, found = self._boundaries[:, at], self._found[:, at]
        ends = self._ends[:, : len(count)]
        np.less_equal(inner, count, out=found)
        np.multiply(inner[0], found[0], out=ends[0])
        np.copyto(ends[0], inner[1], where=found[1])
        np.copyto(ends[1], inner[1])
        np.copyto(ends[1], inner[0], where=~found[0])
        np.copyto(ends[1], TOTAL, where=found[1])
        return ends

    def decoded(self) -> DecodedSymbols:
        return DecodedSymbols(symbols=self._found.sum(axis=0, dtype=np.int32), edges=None)


class _TableLaw:
    """Bisects table rows."""

    def __init__(self, distribution: TableDistribution, at: Int64Array, lanes: int) -> None:
        self._width = distribution.tables.shape[1]
        self._flat = np.ascontiguousarray(distribution.tables, dtype=np.int64).ravel()
        self._start = distribution.index[at].astype(np.int64) * self._width
        self._places = np.zeros(len(self._start), dtype=np.int64)
        self._ends = np.empty((2, lanes), dtype=np.int64)

    def search(self, at: slice, count: Int64Array) -> Int64Array:
        start = self._start[at]
        low, high = start, start + (self._width - 1)
        for _ in range((self._width - 2).bit_length()):
            middle = (low + high) >> 1
            fits = self._flat.take(middle) <= count
            low, high = np.where(fits, middle, low), np.where(fits, high, middle)
        np.subtract(low, start, out=self._places[at])
        ends = self._ends[:, : len(count)]
        ends[0] = self._flat.take(low)
        ends[1] = self._flat.take(low + 1)
        return ends

    def decoded(self) -> DecodedSymbols:
        return DecodedSymbols(symbols=self._places.astype(np.int32), edges=None)
