"""Bits with static probabilities: masks and hash signs to bytes and back. FORMAT.md §7.2, §7.3.

Layout of a chunk: one stream of uint16 probabilities of a 0 (one per class), one coded stream.
"""

import numpy as np
import numpy.typing as npt

from ..errors import MalformedError
from .backend import EntropyBackend
from .distribution import TableDistribution
from .frequencies import bernoulli_rows, bit_probability
from .lane_stream import decode_symbols, encode_symbols
from .stream_list import StreamReader, join_streams

__all__ = ["decode_bits", "encode_bits"]

Int64Array = npt.NDArray[np.int64]


def encode_bits(
    bits: npt.NDArray[np.bool_],  # [n]
    classes: Int64Array,  # [n] 0..num_classes-1
    num_classes: int,
    backend: EntropyBackend,
) -> bytes:
    """Encode bits, each with the measured probability of its class."""
    total = np.bincount(classes, minlength=num_classes).tolist()
    ones = np.bincount(classes[bits], minlength=num_classes).tolist()
    probability = np.array(
        [bit_probability(t - o, t) for t, o in zip(total, ones, strict=True)], dtype=np.int64
    )
    rows = TableDistribution(tables=bernoulli_rows(probability), index=classes)
    stream = encode_symbols(bits.astype(np.int64), rows, backend)
    return join_streams([probability.astype("<u2").tobytes(), stream])


def decode_bits(
    data: bytes, classes: Int64Array, num_classes: int, backend: EntropyBackend
) -> npt.NDArray[np.bool_]:
    """Return the `[n]` bits.

    Raises:
        MalformedError: the chunk is not such a list of bits.
    """
    reader = StreamReader(data)
    head, stream = reader.take(), reader.take()
    reader.finish()
    if len(head) != 2 * num_classes:
        raise MalformedError(f"{len(head) // 2} bit probabilities, wanted {num_classes}")
    probability = np.frombuffer(head, dtype="<u2").astype(np.int64)
    if int(probability.min()) < 1:
        raise MalformedError("bit probability is 0, wanted 1..65535")
    rows = TableDistribution(tables=bernoulli_rows(probability), index=classes)
    bits: npt.NDArray[np.bool_] = decode_symbols(stream, rows, backend) == 1
    return bits
