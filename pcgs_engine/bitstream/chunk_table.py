"""The index behind the header: level and chunk records to bytes and back. FORMAT.md §3.

Offsets are not stored: chunks lie back to back, so they follow from the sizes.
"""

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..errors import MalformedError, UnsupportedVersionError
from .checks import check_crc, check_limit
from .chunk_digest import NO_DIGEST, holds_integers
from .chunk_order import check_chunk_order
from .chunk_type import ChunkType, is_ancillary
from .header import HEADER_SIZE, Header
from .limits import DecodeLimits

__all__ = ["ALIGNMENT", "ChunkRecord", "ChunkTable", "LevelRecord", "laid_out_size", "table_size"]

ALIGNMENT = 8
LEVEL_LAYOUT = struct.Struct("<HHIII")
CHUNK_LAYOUT = struct.Struct("<4sHHIIII8s")
KNOWN = {kind.value: kind for kind in ChunkType}


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelRecord:
    """What is known of a level without decoding it."""

    level: int  # 1-based
    anchors: int
    """Anchors at this level, earlier ones included."""
    gaussians: int
    """Gaussians present at this level."""
    end: int = 0
    """Length of the file prefix that the level needs; not stored."""
    digest: bytes = NO_DIGEST
    """Digest of the level's last chunk: of all integers decoded so far; not stored here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkRecord:
    """What is known of a chunk without reading it."""

    code: bytes
    """Four letters; one of ChunkType unless ancillary."""
    level: int
    """Level that needs it first; 0 = all."""
    part: int
    """0, or 1, 2, ... where a level has several chunks of the type."""
    count: int
    """Elements: anchors, Gaussians, weights ... (FORMAT.md §4)."""
    size: int
    """Stored bytes."""
    decoded_size: int
    """Bytes after decompression, 0 where no zlib stream is inside."""
    crc: int
    """CRC-32 of the stored bytes."""
    digest: bytes
    """Of all integers decoded up to here (FORMAT.md §3.1)."""
    offset: int = 0
    """First byte in the file; not stored."""

    @property
    def end(self) -> int:
        """Offset after the last byte."""
        return self.offset + self.size

    @property
    def kind(self) -> ChunkType | None:
        """The type, None where this version does not know it."""
        return KNOWN.get(self.code)

    @property
    def name(self) -> str:
        """Type, part and level for messages."""
        part = f" part {self.part}" if self.part else ""
        return f"chunk {self.code.decode('ascii', 'replace')}{part} of level {self.level}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkTable:
    """All records, in file order."""

    levels: tuple[LevelRecord, ...]
    chunks: tuple[ChunkRecord, ...]

    @classmethod
    def arrange(cls, levels: Sequence[LevelRecord], chunks: Sequence[ChunkRecord]) -> "ChunkTable":
        """Return the table with everything that follows from the order filled in.

        Offsets of the chunks, and end and digest of the levels.
        """
        end, placed = HEADER_SIZE + table_size(len(levels), len(chunks)), []
        for chunk in chunks:
            placed.append(replace(chunk, offset=_aligned(end)))
            end = placed[-1].end
        last = {chunk.level: chunk for chunk in placed}
        filled = [
            replace(r, end=last[r.level].end, digest=last[r.level].digest) if r.level in last else r
            for r in levels
        ]
        return cls(levels=tuple(filled), chunks=tuple(placed))

    @property
    def end(self) -> int:
        """Size of the file."""
        return self.chunks[-1].end if self.chunks else HEADER_SIZE + table_size(len(self.levels), 0)

    def pack(self) -> bytes:
        """Return the bytes, CRC and padding included."""
        parts = [LEVEL_LAYOUT.pack(r.level, 0, r.anchors, r.gaussians, 0) for r in self.levels]
        parts += [
            CHUNK_LAYOUT.pack(
                c.code, c.level, c.part, c.count, c.size, c.decoded_size, c.crc, c.digest
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
            LimitExceededError: a level has more anchors, or a chunk more bytes, than allowed.
        """
        if len(data) != table_size(header.levels, header.chunks):
            raise MalformedError(
                f"table of {len(data)} bytes for {header.levels} levels and {header.chunks} "
                f"chunks, wanted {table_size(header.levels, header.chunks)}"
            )
        check_crc("chunk table", data[:-4], int.from_bytes(data[-4:], "little"))
        cut = header.levels * LEVEL_LAYOUT.size
        levels = [
            LevelRecord(level=level, anchors=anchors, gaussians=gaussians)
            for level, _, anchors, gaussians, _ in LEVEL_LAYOUT.iter_unpack(data[:cut])
        ]
        chunks = [
            ChunkRecord(
                code=code, level=level, part=part, count=count, size=size,
                decoded_size=decoded, crc=crc, digest=digest,
            )
            for code, level, part, count, size, decoded, crc, digest in (
                CHUNK_LAYOUT.iter_unpack(data[cut:-8])
            )
        ]  # fmt: skip
        table = cls.arrange(levels, chunks)
        table._check_chunks(header, limits)
        table._check_digests()
        table._check_levels(header, limits)
        return table

    def _check_chunks(self, header: Header, limits: DecodeLimits) -> None:
        level = 0
        sizes = {
            ChunkType.METADATA: limits.metadata_bytes,
            ChunkType.MODEL: limits.metadata_bytes,
            ChunkType.THUMBNAIL: limits.thumbnail_bytes,
        }
        for chunk in self.chunks:
            if not chunk.code.isalpha():
                raise MalformedError(f"chunk type {chunk.code.hex()} is not four letters")
            if chunk.kind is None and not is_ancillary(chunk.code):
                raise UnsupportedVersionError(
                    f"{chunk.name} is of unknown type and needed; install a newer PCGS"
                )
            if not level <= chunk.level <= header.levels:
                raise MalformedError(f"{chunk.name}: wanted a level of {level}..{header.levels}")
            if chunk.kind in sizes:
                check_limit(f"{chunk.name}: size", chunk.size, sizes[chunk.kind])
            level = chunk.level
        if self.end != header.file_size:
            raise MalformedError(
                f"chunks end at byte {self.end}, the header says {header.file_size}"
            )
        for number in range(header.levels + 1):
            own = [(c.kind, c.part) for c in self.chunks if c.level == number]
            check_chunk_order(number, [(kind, part) for kind, part in own if kind is not None])

    def _check_digests(self) -> None:
        before = NO_DIGEST
        for chunk in self.chunks:
            repeats = chunk.level == 0 or not holds_integers(chunk.kind)
            if repeats and chunk.digest != before:
                raise MalformedError(
                    f"{chunk.name} holds no integers and has digest {chunk.digest.hex()}, "
                    f"wanted {before.hex()} of the chunk before"
                )
            before = chunk.digest

    def _check_levels(self, header: Header, limits: DecodeLimits) -> None:
        anchors, gaussians = 0, 0
        for number, record in enumerate(self.levels, start=1):
            if record.level != number:
                raise MalformedError(f"record {number} is of level {record.level}")
            if record.anchors < anchors or record.gaussians < gaussians:
                raise MalformedError(
                    f"level {number} has {record.anchors} anchors and {record.gaussians} "
                    f"Gaussians, after {anchors} and {gaussians}"
                )
            positions = (c for c in self.chunks if c.kind is ChunkType.POSITIONS)
            room = sum(c.size for c in positions if c.level == number)
            new = record.anchors - anchors
            check_limit(f"level {number}: anchors", new, room * limits.anchors_per_byte)
            anchors, gaussians = record.anchors, record.gaussians
        if anchors != header.anchors:
            raise MalformedError(f"last level has {anchors} anchors, header says {header.anchors}")


def table_size(levels: int, chunks: int) -> int:
    """Return the bytes of a table, its CRC and padding included."""
    return levels * LEVEL_LAYOUT.size + chunks * CHUNK_LAYOUT.size + ALIGNMENT


def laid_out_size(levels: int, sizes: Iterable[int]) -> int:
    """Return the bytes of a file whose chunks have these sizes."""
    known = list(sizes)
    end = HEADER_SIZE + table_size(levels, len(known))
    for size in known:
        end = _aligned(end) + size
    return end


def _aligned(offset: int) -> int:
    return offset + -offset % ALIGNMENT
