"""The index behind the header: level and chunk records to bytes and back. FORMAT.md §3."""

import struct
import zlib
from dataclasses import dataclass

from ..errors import MalformedError, UnsupportedVersionError
from .checks import check_crc, check_limit
from .chunk_type import ChunkType, is_ancillary
from .header import HEADER_SIZE, Header
from .limits import DecodeLimits

__all__ = ["ALIGNMENT", "ChunkRecord", "ChunkTable", "LevelRecord", "table_size"]

ALIGNMENT = 8
LEVEL_LAYOUT = struct.Struct("<IIIIQ8s")
CHUNK_LAYOUT = struct.Struct("<4sHHIIQIIII")
KNOWN = frozenset(kind.value for kind in ChunkType)


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelRecord:
    """What is known of a level without decoding it."""

    level: int  # 1-based
    anchors: int
    """Anchors at this level, earlier ones included."""
    gaussians: int
    """Gaussians present at this level."""
    end: int
    """Length of the file prefix that the level needs."""
    digest: bytes
    """BLAKE2b-64 of the decoded integers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkRecord:
    """Where a chunk lies."""

    code: bytes
    """Four letters; one of ChunkType unless ancillary."""
    level: int
    """Level that needs it first; 0 = all."""
    count: int
    """Elements: anchors, Gaussians, weights ... (FORMAT.md §4)."""
    offset: int
    size: int
    """Stored bytes."""
    decoded_size: int
    """Bytes after decompression, 0 where no zlib stream is inside."""
    crc: int
    """CRC-32 of the stored bytes."""

    @property
    def end(self) -> int:
        """Offset after the last byte."""
        return self.offset + self.size

    @property
    def name(self) -> str:
        """Type and level for messages."""
        return f"chunk {self.code.decode('ascii', 'replace')} of level {self.level}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkTable:
    """All records, in file order."""

    levels: tuple[LevelRecord, ...]
    chunks: tuple[ChunkRecord, ...]

    def pack(self) -> bytes:
        """Return the bytes, CRC and padding included."""
        parts = [
            LEVEL_LAYOUT.pack(r.level, r.anchors, r.gaussians, 0, r.end, r.digest)
            for r in self.levels
        ]
        parts += [
            CHUNK_LAYOUT.pack(
                c.code, c.level, 0, 0, c.count, c.offset, c.size, c.decoded_size, c.crc, 0
            )
            for c in self.chunks
        ]
        body = b"".join(parts) + bytes(4)
        return body + struct.pack("<I", zlib.crc32(body))

    @classmethod
    def unpack(cls, data: bytes, header: Header, limits: DecodeLimits) -> "ChunkTable":
        """Read and check the table.

        Raises:
            MalformedError: records contradict each other or the header.
            UnsupportedVersionError: a critical chunk of unknown type.
            ChecksumError: the table is damaged.
            LimitExceededError: a level has more anchors than allowed.
        """
        if len(data) != table_size(header.levels, header.chunks):
            raise MalformedError(
                f"table of {len(data)} bytes for {header.levels} levels and {header.chunks} "
                f"chunks, wanted {table_size(header.levels, header.chunks)}"
            )
        check_crc("chunk table", data[:-4], int.from_bytes(data[-4:], "little"))
        cut = header.levels * LEVEL_LAYOUT.size
        levels = tuple(
            LevelRecord(level=n, anchors=a, gaussians=g, end=end, digest=digest)
            for n, a, g, _, end, digest in LEVEL_LAYOUT.iter_unpack(data[:cut])
        )
        chunks = tuple(
            ChunkRecord(
                code=code, level=level, count=count, offset=offset, size=size,
                decoded_size=decoded, crc=crc,
            )
            for code, level, _, _, count, offset, size, decoded, crc, _ in (
                CHUNK_LAYOUT.iter_unpack(data[cut:-8])
            )
        )  # fmt: skip
        table = cls(levels=levels, chunks=chunks)
        table._check_chunks(header)
        table._check_levels(header, limits)
        return table

    def _check_chunks(self, header: Header) -> None:
        end, level = HEADER_SIZE + header.table_size, 0
        seen: set[tuple[bytes, int]] = set()
        for chunk in self.chunks:
            if chunk.code not in KNOWN and not is_ancillary(chunk.code):
                raise UnsupportedVersionError(f"{chunk.name} is unknown; update pcgs_engine")
            if (chunk.code, chunk.level) in seen and chunk.code in KNOWN:
                raise MalformedError(f"{chunk.name} is there twice")
            seen.add((chunk.code, chunk.level))
            aligned = end + -end % ALIGNMENT
            if chunk.offset != aligned or not level <= chunk.level <= header.levels:
                raise MalformedError(
                    f"{chunk.name} is at byte {chunk.offset}, wanted {aligned}, "
                    f"and level {level}..{header.levels}"
                )
            end, level = chunk.end, chunk.level
        if end != header.file_size:
            raise MalformedError(f"chunks end at byte {end}, the header says {header.file_size}")

    def _check_levels(self, header: Header, limits: DecodeLimits) -> None:
        before = 0
        for number, record in enumerate(self.levels, start=1):
            own = [c for c in self.chunks if c.level == number]
            if record.level != number or not own or own[-1].end != record.end:
                raise MalformedError(f"record of level {number} does not match its chunks")
            if record.anchors < before:
                raise MalformedError(f"level {number} has {record.anchors} anchors, after {before}")
            room = sum(c.size for c in own if c.code == ChunkType.POSITIONS.value)
            new = record.anchors - before
            check_limit(f"level {number}: anchors", new, room * limits.anchors_per_byte)
            before = record.anchors
        if before != header.anchors:
            raise MalformedError(f"last level has {before} anchors, header says {header.anchors}")


def table_size(levels: int, chunks: int) -> int:
    """Return the bytes of a table, its CRC and padding included."""
    return levels * LEVEL_LAYOUT.size + chunks * CHUNK_LAYOUT.size + ALIGNMENT
