"""Coded streams: symbols and their distribution in, bytes out, and back. FORMAT.md §5.3.

A stream is a list of lane sizes, the lanes (independent pieces of the range code) and, for
mixtures, the magnitudes of escapes. The number of symbols is known from elsewhere.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import MalformedError
from .backend import EntropyBackend, best_backend
from .distribution import Distribution, Intervals, MixtureDistribution
from .native_coder import decode_lanes_native, encode_lanes_native
from .range_decoder import decode_lanes_numpy
from .range_encoder import encode_lanes_numpy
from .torchac_encoder import encode_lanes_torchac
from .varint import pack_varints, unpack_varints

__all__ = ["MAX_SYMBOL", "decode_symbols", "encode_symbols", "lane_length"]

Int64Array = npt.NDArray[np.int64]

SHORTEST_LANE, LONGEST_LANE = 512, 8192
WANTED_LANES = 32
"""A numpy decoder needs lanes side by side; each lane costs about 3.5 bytes."""
LANE_LIMIT = 1 << 16
"""Longest lane a reader accepts."""
MAX_SYMBOL = 1 << 24
"""Largest |symbol| of a mixture."""


def lane_length(count: int) -> int:
    """Return the lane length an encoder uses for `count` symbols: a power of two."""
    wanted = 1 << max(count // WANTED_LANES, 1).bit_length() - 1
    return min(max(wanted, SHORTEST_LANE), LONGEST_LANE)


def encode_symbols(
    symbols: npt.NDArray[np.integer[Any]], distribution: Distribution, backend: EntropyBackend
) -> bytes:
    """Encode `[count]` symbols.

    Raises:
        MalformedError: a mixture symbol is beyond 2**24.
        DeviceError: the backend does not work here.
    """
    values = symbols.astype(np.int64).ravel()
    escapes = b""
    if isinstance(distribution, MixtureDistribution):
        if len(values) and int(np.abs(values).max()) > MAX_SYMBOL:
            raise MalformedError(
                f"symbol of magnitude {int(np.abs(values).max())}, wanted at most {MAX_SYMBOL}; "
                "the model diverged or its steps are too small"
            )
        escapes = _pack_escapes(values, distribution)
        values = np.clip(values, distribution.low, distribution.high)
    if len(values) == 0:
        return b""
    length = lane_length(len(values))
    lanes = _encode_lanes(distribution.intervals(values), length, backend)
    sizes = np.array([length, *(len(lane) for lane in lanes)], dtype=np.int64)
    return b"".join([pack_varints(sizes), *lanes, escapes])


def decode_symbols(data: bytes, distribution: Distribution, backend: EntropyBackend) -> Int64Array:
    """Decode the `[count]` symbols of one stream that fills `data`.

    Raises:
        MalformedError: the bytes are not such a stream.
    """
    if distribution.count == 0:
        if data:
            raise MalformedError(f"stream without symbols has {len(data)} bytes, wanted 0")
        return np.zeros(0, dtype=np.int64)
    head, start = unpack_varints(data, 1)
    length = int(head[0])
    if not 1 <= length <= LANE_LIMIT:
        raise MalformedError(f"lane length is {length}, wanted 1..{LANE_LIMIT}")
    sizes, start = unpack_varints(data, -(-distribution.count // length), start)
    end = start + int(sizes.sum())
    if end > len(data):
        raise MalformedError(f"lanes end at byte {end} of a stream of {len(data)}")
    symbols = _decode_lanes(data[start:end], sizes, distribution, length, backend)
    rest = data[end:]
    if isinstance(distribution, MixtureDistribution):
        return _apply_escapes(symbols, distribution, rest)
    if rest:
        raise MalformedError(f"{len(rest)} bytes after the last lane, wanted 0")
    return symbols


def _encode_lanes(intervals: Intervals, length: int, backend: EntropyBackend) -> list[bytes]:
    if backend is EntropyBackend.NATIVE:
        return encode_lanes_native(intervals, length)
    if backend is EntropyBackend.TORCHAC:
        return encode_lanes_torchac(intervals, length)
    return encode_lanes_numpy(intervals, length)


def _decode_lanes(
    data: bytes, sizes: Int64Array, distribution: Distribution, length: int, backend: EntropyBackend
) -> Int64Array:
    chosen = best_backend() if backend is EntropyBackend.TORCHAC else backend
    if chosen is EntropyBackend.NATIVE:
        return decode_lanes_native(data, sizes, distribution, length)
    return decode_lanes_numpy(data, sizes, distribution, length)


def _pack_escapes(symbols: Int64Array, window: MixtureDistribution) -> bytes:
    below, above = window.low - symbols, symbols - window.high
    edge = np.maximum(below, above)
    return pack_varints(edge[edge >= 0])


def _apply_escapes(symbols: Int64Array, window: MixtureDistribution, data: bytes) -> Int64Array:
    at_low, at_high = symbols == window.low, symbols == window.high
    at = np.flatnonzero(at_low | at_high)
    beyond, end = unpack_varints(data, len(at))
    if end != len(data):
        raise MalformedError(f"{len(data) - end} bytes after the last escape, wanted 0")
    symbols[at] += np.where(at_low[at], -beyond, beyond)
    if len(at) and int(np.abs(symbols[at]).max()) > MAX_SYMBOL:
        raise MalformedError(f"escaped symbol is beyond {MAX_SYMBOL}")
    return symbols
