"""Several coded streams in one chunk: each behind its length. FORMAT.md §5.4."""

import struct

from ..errors import MalformedError

__all__ = ["StreamReader", "join_streams"]

LENGTH = struct.Struct("<I")


def join_streams(streams: list[bytes]) -> bytes:
    """Return all streams, each after its 32-bit length."""
    return b"".join(LENGTH.pack(len(s)) + s for s in streams)


class StreamReader:
    """Takes streams off a chunk one by one."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self) -> bytes:
        """Return the next stream.

        Raises:
            MalformedError: the chunk ends before the stream does.
        """
        head = self._data[self._at : self._at + LENGTH.size]
        if len(head) < LENGTH.size:
            raise MalformedError(f"chunk ends at byte {len(self._data)}, inside a stream length")
        (size,) = LENGTH.unpack(head)
        begin = self._at + LENGTH.size
        if begin + size > len(self._data):
            raise MalformedError(
                f"stream of {size} bytes at {begin} in a chunk of {len(self._data)} bytes"
            )
        self._at = begin + size
        return self._data[begin : self._at]

    def finish(self) -> None:
        """Check that nothing is left.

        Raises:
            MalformedError: bytes follow the last stream.
        """
        if self._at != len(self._data):
            raise MalformedError(f"{len(self._data) - self._at} bytes after the last stream")
