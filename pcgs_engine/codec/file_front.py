"""Header and chunk table of an open `.pcgs` file; its chunks are read one by one when wanted."""

from dataclasses import dataclass
from io import SEEK_END
from typing import BinaryIO

from ..bitstream import (
    HEADER_SIZE,
    ChunkRecord,
    ChunkTable,
    ChunkType,
    DecodeLimits,
    Header,
    check_crc,
    unpack_json,
)
from ..errors import TruncatedError

__all__ = ["FileFront", "read_chunk", "read_front", "read_metadata"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFront:
    """What is known before any chunk is read."""

    header: Header
    table: ChunkTable
    received: int
    """Bytes that are there: fewer than `header.file_size` where the file is cut off."""

    def chunk_of(self, kind: ChunkType) -> ChunkRecord | None:
        """Return the first chunk of a type that is there to its end."""
        for chunk in self.table.chunks:
            if chunk.kind is kind and chunk.end <= self.received:
                return chunk
        return None


def read_front(stream: BinaryIO, limits: DecodeLimits) -> FileFront:
    """Read from the start of a seekable stream.

    Raises:
        BitstreamError: header or table are damaged, cut off or beyond the limits.
        OSError: the stream cannot be read.
    """
    received = stream.seek(0, SEEK_END)
    stream.seek(0)
    head = stream.read(HEADER_SIZE)
    if len(head) < HEADER_SIZE:
        raise TruncatedError(f"file of {len(head)} bytes, wanted a header of {HEADER_SIZE}")
    header = Header.unpack(head, limits)
    raw = stream.read(header.table_size)
    if len(raw) < header.table_size:
        raise TruncatedError(f"file ends at byte {received}, inside the chunk table")
    table = ChunkTable.unpack(raw, header, limits)
    return FileFront(header=header, table=table, received=received)


def read_chunk(stream: BinaryIO, record: ChunkRecord) -> bytes:
    """Read one chunk.

    Raises:
        ChecksumError: it is damaged or cut off.
        OSError: the stream cannot be read.
    """
    stream.seek(record.offset)
    data = stream.read(record.size)
    check_crc(record.name, data, record.crc)
    return data


def read_metadata(stream: BinaryIO, front: FileFront, limits: DecodeLimits) -> dict[str, object]:
    """Read mETA; empty where the file has none or ends before.

    Raises:
        BitstreamError: it is damaged.
        OSError: the stream cannot be read.
    """
    record = front.chunk_of(ChunkType.METADATA)
    return {} if record is None else unpack_json("mETA", read_chunk(stream, record), limits)
