"""Unsigned LEB128 integers: arrays of non-negative integers in, bytes out, and back."""

import numpy as np
import numpy.typing as npt

from ..errors import MalformedError

__all__ = ["pack_varints", "unpack_varints"]

Int64Array = npt.NDArray[np.int64]

MAX_BYTES = 5
"""Longest accepted integer: values below 2**35."""


def pack_varints(values: Int64Array) -> bytes:
    """Write seven bits a byte, lowest first; the top bit says that another byte follows."""
    columns = np.empty((len(values), MAX_BYTES), dtype=np.uint8)
    kept = np.ones(columns.shape, dtype=np.bool_)
    rest = np.asarray(values, dtype=np.int64)
    for byte in range(MAX_BYTES):
        following = rest >> 7
        columns[:, byte] = (rest & 0x7F) | np.where(following > 0, 0x80, 0)
        kept[:, byte] = (rest > 0) | (byte == 0)
        rest = following
    return columns[kept].tobytes()


def unpack_varints(data: bytes, count: int, start: int = 0) -> tuple[Int64Array, int]:
    """Read `count` integers from `data[start:]`; returns them and the position after the last.

    Raises:
        MalformedError: the data ends early or an integer is longer than 5 bytes.
    """
    # Every integer takes a byte, so a hostile count cannot make us allocate more than the data.
    raw = np.frombuffer(data, dtype=np.uint8, offset=min(start, len(data)))
    raw = raw[: count * MAX_BYTES]
    ends = np.flatnonzero(raw < 0x80)[:count]
    if len(ends) < count:
        raise MalformedError(f"integer list holds {len(ends)} integers, wanted {count}")
    if count == 0:
        return np.zeros(0, dtype=np.int64), start
    begins = np.concatenate([[0], ends[:-1] + 1])
    if int((ends - begins).max()) >= MAX_BYTES:
        raise MalformedError(f"integer of more than {MAX_BYTES} bytes in a list")
    values = np.zeros(count, dtype=np.int64)
    for byte in range(MAX_BYTES):
        place = begins + byte
        there = place <= ends
        values[there] |= (raw[place[there]] & 0x7F).astype(np.int64) << (7 * byte)
    return values, start + int(ends[-1]) + 1
