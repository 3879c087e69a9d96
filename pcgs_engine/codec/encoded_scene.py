"""EncodedScene: chunks of all levels; with metadata it becomes the bytes of a file."""

import zlib
from dataclasses import dataclass

from ..bitstream import (
    ALIGNMENT,
    HEADER_SIZE,
    ChunkRecord,
    ChunkTable,
    ChunkType,
    DecodeLimits,
    Header,
    LevelRecord,
    pack_json,
    table_size,
)

__all__ = ["EncodedLevel", "EncodedScene", "FileChunk", "assemble"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChunk:
    """One chunk before it has a place."""

    code: bytes
    level: int
    count: int
    data: bytes
    decoded_size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedLevel:
    """What the table says of a level."""

    anchors: int
    gaussians: int
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedScene:
    """All chunks but the metadata, in file order."""

    chunks: tuple[FileChunk, ...]
    levels: tuple[EncodedLevel, ...]

    def to_bytes(self, metadata: dict[str, object]) -> bytes:
        """Return the file.

        Args:
            metadata: JSON values. Key `levels`: a list with `{"level", "psnr", "ssim"}` per
                level, read by `inspect_file`; other keys are free.

        Raises:
            ConfigError: the metadata is not JSON or too long.
        """
        data = pack_json(metadata, DecodeLimits())
        first = FileChunk(code=ChunkType.METADATA.value, level=0, count=1, data=data)
        return assemble((first, *self.chunks), self.levels)


def assemble(chunks: tuple[FileChunk, ...], levels: tuple[EncodedLevel, ...]) -> bytes:
    """Lay chunks out behind header and table."""
    size = table_size(len(levels), len(chunks))
    end, records = HEADER_SIZE + size, []
    for chunk in chunks:
        offset = end + -end % ALIGNMENT
        records.append(
            ChunkRecord(
                code=chunk.code,
                level=chunk.level,
                count=chunk.count,
                offset=offset,
                size=len(chunk.data),
                decoded_size=chunk.decoded_size,
                crc=zlib.crc32(chunk.data),
            )
        )
        end = offset + len(chunk.data)
    ends = {record.level: record.end for record in records}
    table = ChunkTable(
        levels=tuple(
            LevelRecord(
                level=number,
                anchors=level.anchors,
                gaussians=level.gaussians,
                end=ends[number],
                digest=level.digest,
            )
            for number, level in enumerate(levels, start=1)
        ),
        chunks=tuple(records),
    )
    header = Header(
        levels=len(levels),
        anchors=levels[-1].anchors,
        file_size=end,
        chunks=len(chunks),
        table_size=size,
    )
    result = bytearray(header.pack() + table.pack())
    for record, chunk in zip(records, chunks, strict=True):
        result += bytes(record.offset - len(result)) + chunk.data
    return bytes(result)
