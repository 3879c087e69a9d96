"""Coded streams: symbols and their distributions in, bytes out, and back. FORMAT.md §5.3.

A stream codes rows in lanes of `rows_per_lane` rows. Symbols come in passes, and each lane is one
range code that runs through all of them. Bytes: varint rows_per_lane, varint size of each lane, the
lanes, the magnitudes of escapes (mixtures only). The number of rows is known from elsewhere.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import MalformedError
from .backend import EntropyBackend, best_backend
from .distribution import (
    CodedSymbols,
    Distribution,
    Intervals,
    MixtureDistribution,
    coded_symbols,
)
from .lane_layout import LANE_LIMIT, ROW_LIMIT, Counts, lane_bounds, rows_per_lane
from .lockstep_laws import DecodedSymbols
from .native_coder import NativeLanes, coded_symbols_native, encode_lanes_native
from .range_decoder import NumpyLanes
from .range_encoder import encode_lanes_numpy
from .torchac_encoder import encode_lanes_torchac
from .varint import pack_varints, unpack_varints

__all__ = ["MAX_SYMBOL", "LaneDecoder", "LaneEncoder", "decode_symbols", "encode_symbols"]

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]

MAX_SYMBOL = 1 << 24
"""Largest |symbol| of a mixture."""
LOOKAHEAD_BITS = 32
"""A decoder has read this many bits before the first symbol."""
END_BITS = 2
"""Bits that end a lane, besides the pending ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pass:
    """Symbols waiting to be written."""

    symbols: Int32Array
    distribution: Distribution
    bounds: Int64Array


class LaneEncoder:
    """Collects the passes of one stream."""

    def __init__(self, rows: int, rows_per_lane: int) -> None:
        """Open a stream.

        Args:
            rows: number of rows.
            rows_per_lane: 1..65536, e.g. of `lane_layout.rows_per_lane`.
        """
        if not 1 <= rows_per_lane <= ROW_LIMIT:
            raise ValueError(f"{rows_per_lane} rows per lane, wanted 1..{ROW_LIMIT}")
        self._rows = rows
        self._rows_per_lane = rows_per_lane
        self._passes: list[_Pass] = []

    def add(
        self,
        symbols: npt.NDArray[np.integer[Any]],
        distribution: Distribution,
        counts: Counts,
    ) -> None:
        """Append a pass: `counts` symbols per row, row after row.

        Raises:
            MalformedError: a mixture symbol is beyond 2**24.
            ValueError: counts, symbols and distribution disagree.
        """
        bounds = lane_bounds(self._rows, self._rows_per_lane, counts)
        flat = symbols.ravel()
        _check_count(bounds, distribution)
        if len(flat) != distribution.count:
            raise ValueError(f"{len(flat)} symbols, wanted {distribution.count}")
        if isinstance(distribution, MixtureDistribution):
            largest = max(int(flat.max(initial=0)), -int(flat.min(initial=0)))
            if largest > MAX_SYMBOL:
                raise MalformedError(
                    f"symbol of magnitude {largest}, wanted at most {MAX_SYMBOL}; "
                    "the model diverged or its steps are too small"
                )
        self._passes.append(
            _Pass(symbols=flat.astype(np.int32), distribution=distribution, bounds=bounds)
        )

    def finish(self, backend: EntropyBackend) -> bytes:
        """Return the bytes of the stream.

        Raises:
            DeviceError: the backend does not work here.
            ValueError: a lane has more symbols than readers take.
        """
        if self._rows == 0:
            return b""
        coded = [_coded(part, backend) for part in self._passes]
        lanes = -(-self._rows // self._rows_per_lane)
        bounds = np.zeros(lanes + 1, dtype=np.int64)
        for part in self._passes:
            bounds += part.bounds
        if int(np.diff(bounds).max()) > LANE_LIMIT:
            raise ValueError(f"a lane has more than {LANE_LIMIT} symbols; use fewer rows per lane")
        intervals = _lane_major(coded, [part.bounds for part in self._passes], bounds)
        pieces = _encode_lanes(intervals, bounds, backend)
        head = np.array([self._rows_per_lane, *(len(piece) for piece in pieces)], dtype=np.int64)
        beyond = [part.beyond[part.beyond >= 0] for part in coded if part.beyond is not None]
        escapes = [pack_varints(part.astype(np.int64)) for part in beyond]
        return b"".join([pack_varints(head), *pieces, *escapes])


class LaneDecoder:
    """Reads one stream that fills `data`, pass by pass."""

    def __init__(self, data: bytes, rows: int, backend: EntropyBackend) -> None:
        """Read the sizes of the lanes.

        Raises:
            MalformedError: the bytes are not such a stream.
        """
        self._data, self._rows = data, rows
        self._rows_per_lane, self._escapes = 1, 0
        self._sizes = self._symbols = np.zeros(0, dtype=np.int64)
        self._lanes: _Lanes | None = None
        if rows == 0:
            return
        head, start = unpack_varints(data, 1)
        self._rows_per_lane = int(head[0])
        if not 1 <= self._rows_per_lane <= ROW_LIMIT:
            raise MalformedError(f"{self._rows_per_lane} rows per lane, wanted 1..{ROW_LIMIT}")
        self._sizes, start = unpack_varints(data, -(-rows // self._rows_per_lane), start)
        self._symbols = np.zeros_like(self._sizes)
        self._escapes = start + int(self._sizes.sum())
        if self._escapes > len(data):
            raise MalformedError(f"lanes end at byte {self._escapes} of a stream of {len(data)}")
        self._lanes = _open_lanes(data[start : self._escapes], self._sizes, backend)

    def take(self, distribution: Distribution, counts: Counts) -> Int32Array:
        """Return the symbols of the next pass, `counts` per row, row after row.

        Raises:
            MalformedError: an escape is missing or too large, or a lane is too long.
            ValueError: counts and distribution disagree.
        """
        bounds = lane_bounds(self._rows, self._rows_per_lane, counts)
        _check_count(bounds, distribution)
        if self._lanes is None:
            return np.zeros(0, dtype=np.int32)
        self._symbols += np.diff(bounds)
        longest = int(self._symbols.max())
        if longest > LANE_LIMIT:
            raise MalformedError(f"a lane has {longest} symbols, wanted at most {LANE_LIMIT}")
        found = self._lanes.take(distribution, bounds)
        if found.edges is not None:
            self._apply_escapes(found.symbols, found.edges)
        return found.symbols

    def _apply_escapes(self, symbols: Int32Array, edges: npt.NDArray[np.int8]) -> None:
        at = np.flatnonzero(edges)
        beyond, self._escapes = unpack_varints(self._data, len(at), self._escapes)
        values = symbols[at] + np.where(edges[at] < 0, -beyond, beyond)
        if len(at) and int(np.abs(values).max()) > MAX_SYMBOL:
            raise MalformedError(f"escaped symbol is beyond {MAX_SYMBOL}")
        symbols[at] = values

    def finish(self) -> None:
        """Check that every byte was used.

        Raises:
            MalformedError: bytes are left over, or a lane is not as long as its code.
        """
        rest = len(self._data) - self._escapes
        if rest:
            raise MalformedError(f"{rest} bytes after the last symbol of a stream, wanted 0")
        if self._lanes is None:
            return
        wanted = (self._lanes.position - LOOKAHEAD_BITS + END_BITS + 7) >> 3
        wrong = np.flatnonzero(wanted != self._sizes)
        if len(wrong):
            lane = int(wrong[0])
            raise MalformedError(
                f"lane {lane} has {self._sizes[lane]} bytes, its symbols take {wanted[lane]}"
            )


def encode_symbols(
    symbols: npt.NDArray[np.integer[Any]], distribution: Distribution, backend: EntropyBackend
) -> bytes:
    """Encode `[count]` symbols in one pass, each a row.

    Raises:
        MalformedError: a mixture symbol is beyond 2**24.
        DeviceError: the backend does not work here.
    """
    rows = distribution.count
    encoder = LaneEncoder(rows, rows_per_lane(rows, 1))
    encoder.add(symbols, distribution, 1)
    return encoder.finish(backend)


def decode_symbols(data: bytes, distribution: Distribution, backend: EntropyBackend) -> Int32Array:
    """Decode the `[count]` symbols of a one-pass stream that fills `data`.

    Raises:
        MalformedError: the bytes are not such a stream.
    """
    decoder = LaneDecoder(data, distribution.count, backend)
    symbols = decoder.take(distribution, 1)
    decoder.finish()
    return symbols


class _Lanes(Protocol):
    """Decoder state of all lanes."""

    position: Int64Array

    def take(self, distribution: Distribution, bounds: Int64Array) -> DecodedSymbols: ...


def _open_lanes(data: bytes, sizes: Int64Array, backend: EntropyBackend) -> _Lanes:
    chosen = best_backend() if backend is EntropyBackend.TORCHAC else backend
    return NativeLanes(data, sizes) if chosen is EntropyBackend.NATIVE else NumpyLanes(data, sizes)


def _encode_lanes(intervals: Intervals, bounds: Int64Array, backend: EntropyBackend) -> list[bytes]:
    if backend is EntropyBackend.NATIVE:
        return encode_lanes_native(intervals, bounds)
    if backend is EntropyBackend.TORCHAC:
        return encode_lanes_torchac(intervals, bounds)
    return encode_lanes_numpy(intervals, bounds)


def _coded(part: _Pass, backend: EntropyBackend) -> CodedSymbols:
    native = backend is EntropyBackend.NATIVE
    return (coded_symbols_native if native else coded_symbols)(part.distribution, part.symbols)


def _lane_major(
    coded: list[CodedSymbols], passes: list[Int64Array], bounds: Int64Array
) -> Intervals:
    """Put the passes of each lane behind one another."""
    if len(coded) == 1:
        return coded[0].intervals
    low, last = (np.empty(int(bounds[-1]), dtype=np.uint16) for _ in range(2))
    starts = bounds[:-1].copy()
    for part, edges in zip(coded, passes, strict=True):
        lengths = np.diff(edges)
        place = np.arange(int(edges[-1]), dtype=np.int64)
        place += np.repeat(starts - edges[:-1], lengths)
        low[place], last[place] = part.intervals.low, part.intervals.last
        starts += lengths
    return Intervals(low=low, last=last)


def _check_count(bounds: Int64Array, distribution: Distribution) -> None:
    if int(bounds[-1]) != distribution.count:
        raise ValueError(f"{int(bounds[-1])} symbols in rows, {distribution.count} in their law")
