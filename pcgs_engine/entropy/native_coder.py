"""Range coder by the native library: the same bytes as the numpy coder, only faster.

Lanes are shared out among threads; the result does not depend on their number.
"""

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import MalformedError
from ..native import load_native
from ..native.threads import even_ranges, run_ranges, split_work, worker_count
from .distribution import (
    CodedSymbols,
    Distribution,
    Intervals,
    MixtureDistribution,
    TableDistribution,
    TritDistribution,
    coded_symbols,
)
from .lockstep_laws import DecodedSymbols

__all__ = ["NativeLanes", "coded_symbols_native", "encode_lanes_native"]

Int64Array = npt.NDArray[np.int64]
Ranges = list[tuple[int, int]]

FEWEST_SYMBOLS = 1 << 14
"""Symbols for which a thread pays."""
BYTES_PER_SYMBOL = 3
"""Room per symbol in the output buffer; a symbol takes at most 16 bits and rounding."""
LANE_ROOM = 16
"""Room per lane for its end."""


class _Lanes(ctypes.Structure):
    """`Lanes` of range_code.h."""

    _fields_ = tuple(
        (name, ctypes.c_void_p)
        for name in ("data", "starts", "low", "high", "offset", "position", "bounds")
    )


class _Mixture(ctypes.Structure):
    """`Mixture` of mixture.c."""

    _fields_ = (
        ("mean", ctypes.c_void_p * 2),
        ("scale", ctypes.c_void_p * 2),
        ("weight", ctypes.c_void_p),
        ("inverse", ctypes.c_void_p),
        ("reach", ctypes.c_void_p),
        ("normal", ctypes.c_void_p),
    )


class NativeLanes:
    """Decoder state of all lanes of a stream."""

    def __init__(
        self,
        data: bytes,
        sizes: Int64Array,  # [lanes] bytes of each lane, one after the other in `data`
    ) -> None:
        """Read the first 32 bits of each lane.

        Raises:
            DeviceError: the library is not there.
        """
        self._library = load_native()
        lanes = len(sizes)
        self._data = np.frombuffer(data, dtype=np.uint8)
        self._starts = np.zeros(lanes + 1, dtype=np.int64)
        np.cumsum(sizes, out=self._starts[1:])
        self._low = np.zeros(lanes, dtype=np.uint32)
        self._high = np.full(lanes, 0xFFFFFFFF, dtype=np.uint32)
        self._offset = _first_words(self._data, self._starts)
        self.position = np.full(lanes, 32, dtype=np.int64)
        """`[lanes]` bits read."""

    def take(
        self,
        distribution: Distribution,
        bounds: Int64Array,  # [lanes + 1]
    ) -> DecodedSymbols:
        """Decode a pass: symbols `bounds[j]` .. `bounds[j + 1] - 1` from lane j."""
        bounds = _whole(bounds, np.int64)
        rows = (self._data, self._starts, self._low, self._high, self._offset, self.position)
        lanes = _Lanes(*(row.ctypes.data for row in rows), bounds.ctypes.data)
        ranges = split_work(bounds[1:], FEWEST_SYMBOLS, worker_count())
        symbols = np.empty(int(bounds[-1]), dtype=np.int32)
        edges = None
        if isinstance(distribution, MixtureDistribution):
            edges = np.empty(len(symbols), dtype=np.int8)
            _decode_mixture(self._library, lanes, distribution, ranges, symbols, edges)
        elif isinstance(distribution, TritDistribution):
            _decode_trits(self._library, lanes, distribution, ranges, symbols)
        else:
            _decode_tables(self._library, lanes, distribution, ranges, symbols)
        return DecodedSymbols(symbols=symbols, edges=edges)


def _decode_mixture(
    library: ctypes.CDLL,
    lanes: _Lanes,
    law: MixtureDistribution,
    ranges: Ranges,
    symbols: npt.NDArray[np.int32],
    edges: npt.NDArray[np.int8],
) -> None:
    bound = _BoundMixture(law)
    head, law_at = ctypes.byref(lanes), ctypes.byref(bound.structure)
    out = (symbols.ctypes.data, edges.ctypes.data)
    run_ranges(lambda a, b: library.pcgs_decode_mixture(head, a, b, law_at, *out), ranges)


def _decode_trits(
    library: ctypes.CDLL,
    lanes: _Lanes,
    law: TritDistribution,
    ranges: Ranges,
    symbols: npt.NDArray[np.int32],
) -> None:
    below, powers = _whole(law.below, np.uint16), _whole(law.tables.exp, np.uint32)
    head, rest = ctypes.byref(lanes), (below.ctypes.data, powers.ctypes.data, symbols.ctypes.data)
    run_ranges(lambda a, b: library.pcgs_decode_trits(head, a, b, *rest), ranges)


def _decode_tables(
    library: ctypes.CDLL,
    lanes: _Lanes,
    law: TableDistribution,
    ranges: Ranges,
    symbols: npt.NDArray[np.int32],
) -> None:
    rows, index = _whole(law.tables, np.int32), _whole(law.index, np.int32)
    head = ctypes.byref(lanes)
    rest = (rows.ctypes.data, rows.shape[1], index.ctypes.data, symbols.ctypes.data)
    run_ranges(lambda a, b: library.pcgs_decode_tables(head, a, b, *rest), ranges)


class _BoundMixture:
    """A mixture as C sees it, with the arrays it points to."""

    def __init__(self, law: MixtureDistribution) -> None:
        mean = [_whole(row, np.int32) for row in law.mean]
        scale = [_whole(row, np.uint16) for row in law.scale]
        tables = law.tables
        rest = [
            _whole(law.weight, np.int16),
            _whole(tables.inverse_scale, np.int64),
            _whole(tables.reach, np.int64),
            _whole(tables.normal, np.uint32),
        ]
        self._arrays = (mean, scale, rest)
        self.structure = _Mixture(
            (ctypes.c_void_p * 2)(*(row.ctypes.data for row in mean)),
            (ctypes.c_void_p * 2)(*(row.ctypes.data for row in scale)),
            *(row.ctypes.data for row in rest),
        )


def coded_symbols_native(
    distribution: Distribution, symbols: npt.NDArray[np.int32]
) -> CodedSymbols:
    """Return the intervals of symbols and what lies beyond windows.

    Raises:
        DeviceError: the library is not there.
    """
    if isinstance(distribution, TableDistribution):
        return coded_symbols(distribution, symbols)
    library, values = load_native(), _whole(symbols, np.int32)
    low, last = (np.empty(len(values), dtype=np.uint16) for _ in range(2))
    out = (values.ctypes.data, low.ctypes.data, last.ctypes.data)
    ranges = even_ranges(len(values), FEWEST_SYMBOLS, worker_count())
    if isinstance(distribution, TritDistribution):
        below = _whole(distribution.below, np.uint16)
        powers = _whole(distribution.tables.exp, np.uint32)
        head = (below.ctypes.data, powers.ctypes.data)
        run_ranges(lambda a, b: library.pcgs_intervals_trits(*head, a, b, *out), ranges)
        return CodedSymbols(intervals=Intervals(low=low, last=last), beyond=None)
    law, beyond = _BoundMixture(distribution), np.empty(len(values), dtype=np.int32)
    law_at, rest = ctypes.byref(law.structure), beyond.ctypes.data
    run_ranges(lambda a, b: library.pcgs_intervals_mixture(law_at, a, b, *out, rest), ranges)
    return CodedSymbols(intervals=Intervals(low=low, last=last), beyond=beyond)


def encode_lanes_native(
    intervals: Intervals,
    bounds: Int64Array,  # [lanes + 1]
) -> list[bytes]:
    """Encode symbols `bounds[j]` .. `bounds[j + 1] - 1` as lane j, each by itself.

    Raises:
        DeviceError: the library is not there.
    """
    library, bounds = load_native(), _whole(bounds, np.int64)
    low, last = _whole(intervals.low, np.uint16), _whole(intervals.last, np.uint16)
    lanes = len(bounds) - 1
    sizes = np.zeros(lanes, dtype=np.int64)
    head = (low.ctypes.data, last.ctypes.data, bounds.ctypes.data)
    coded: dict[int, bytes] = {}

    def work(begin: int, end: int) -> None:
        room = int(bounds[end] - bounds[begin]) * BYTES_PER_SYMBOL + (end - begin) * LANE_ROOM
        out = np.empty(room, dtype=np.uint8)
        written = library.pcgs_encode(*head, begin, end, out.ctypes.data, room, sizes.ctypes.data)
        if written < 0:
            raise MalformedError("intervals do not describe symbols; report this as a bug")
        coded[begin] = out[:written].tobytes()

    run_ranges(work, split_work(bounds[1:], FEWEST_SYMBOLS, worker_count()))
    data, ends = b"".join(coded[begin] for begin in sorted(coded)), np.cumsum(sizes).tolist()
    return [data[e - n : e] for e, n in zip(ends, sizes.tolist(), strict=True)]


def _first_words(data: npt.NDArray[np.uint8], starts: Int64Array) -> npt.NDArray[np.uint32]:
    """Return the first 32 bits of each lane; zeros follow its end."""
    words = np.zeros(len(starts) - 1, dtype=np.uint32)
    for byte in range(4):
        place = starts[:-1] + byte
        there = place < starts[1:]
        words[there] |= data[place[there]].astype(np.uint32) << np.uint32(24 - 8 * byte)
    return words


def _whole(array: npt.NDArray[Any], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    return np.ascontiguousarray(array, dtype=dtype)
