"""RANK chunks: ranks of the anchors that the level before added, each way. FORMAT.md §7.5."""

import numpy as np
import numpy.typing as npt

from ..entropy.backend import EntropyBackend
from ..entropy.distribution import TableDistribution
from ..entropy.frequencies import cumulative_rows, frequencies
from ..entropy.lane_stream import decode_symbols, encode_symbols
from ..entropy.stream_list import StreamReader, join_streams
from ..errors import MalformedError

__all__ = ["pack_ranks", "unpack_ranks"]

ByteArray = npt.NDArray[np.uint8]


def pack_ranks(rank: ByteArray, ranks: int, backend: EntropyBackend) -> bytes:
    """Encode ranks 0..ranks-1 with one static table; nothing for a single rank or no anchors."""
    if ranks == 1 or len(rank) == 0:
        return b""
    frequency = frequencies(np.bincount(rank, minlength=ranks)[None])
    stream = encode_symbols(rank.astype(np.int64), _law(frequency, len(rank)), backend)
    return join_streams([frequency.astype("<u2").tobytes(), stream])


def unpack_ranks(data: bytes, count: int, ranks: int, backend: EntropyBackend) -> ByteArray:
    """Return the `[count]` ranks.

    Raises:
        MalformedError: the chunk does not hold that many ranks.
    """
    if ranks == 1 or count == 0:
        if data:
            raise MalformedError(f"RANK has {len(data)} bytes, wanted 0")
        return np.zeros(count, dtype=np.uint8)
    reader = StreamReader(data)
    head, stream = reader.take(), reader.take()
    reader.finish()
    if len(head) != 2 * ranks or not any(head):
        raise MalformedError(f"RANK: table of {len(head)} bytes, wanted {2 * ranks}, not all 0")
    frequency = np.frombuffer(head, dtype="<u2").astype(np.int64)
    return decode_symbols(stream, _law(frequency[None], count), backend).astype(np.uint8)


def _law(frequency: npt.NDArray[np.int64], count: int) -> TableDistribution:
    rows = cumulative_rows(frequency)
    return TableDistribution(tables=rows, index=np.zeros(count, dtype=np.int64))
