"""EncodedScene: chunks of all levels; with metadata it becomes the bytes of a file."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from ..bitstream import (
    NO_DIGEST,
    ChunkRecord,
    ChunkTable,
    ChunkType,
    DecodeLimits,
    Header,
    LevelRecord,
    image_kind,
    pack_json,
    table_size,
)
from ..errors import ConfigError

__all__ = ["EncodedLevel", "EncodedScene", "FileChunk", "assemble"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChunk:
    """One chunk before it has a place."""

    code: bytes
    level: int
    count: int
    data: bytes
    decoded_size: int = 0
    part: int = 0
    digest: bytes = NO_DIGEST
    """Of all integers up to here (`chained_digest`); chunks of level 0 have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedLevel:
    """What the table says of a level, earlier ones included."""

    anchors: int
    gaussians: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedScene:
    """All chunks but metadata and thumbnail, in file order."""

    chunks: tuple[FileChunk, ...]
    levels: tuple[EncodedLevel, ...]

    def to_bytes(self, metadata: dict[str, object], thumbnail: bytes = b"") -> bytes:
        """Return the file.

        Args:
            metadata: JSON values. Key `levels`: a list with `{"level", "psnr", "ssim"}` per
                level, read by `inspect_file`; other keys are free.
            thumbnail: JPEG or PNG, at most 64 KiB; empty for none.

        Raises:
            ConfigError: the metadata is not JSON, or one of both is too long.
            MalformedError: the thumbnail is no JPEG or PNG, or the chunks are out of order.
        """
        limits = DecodeLimits()
        front = [_front_chunk(ChunkType.METADATA, pack_json(metadata, limits))]
        if thumbnail:
            image_kind(thumbnail)
            if len(thumbnail) > limits.thumbnail_bytes:
                raise ConfigError(
                    f"thumbnail has {len(thumbnail)} bytes, wanted <= {limits.thumbnail_bytes}; "
                    "make it smaller"
                )
            front.append(_front_chunk(ChunkType.THUMBNAIL, thumbnail))
        return assemble((*front, *self.chunks), self.levels)


def assemble(chunks: Sequence[FileChunk], levels: Sequence[EncodedLevel]) -> bytes:
    """Lay chunks out behind header and table.

    Raises:
        MalformedError: the file could not be read again (chunks missing or out of order).
    """
    table = ChunkTable.arrange(
        [
            LevelRecord(level=number, anchors=level.anchors, gaussians=level.gaussians)
            for number, level in enumerate(levels, start=1)
        ],
        [
            ChunkRecord(
                code=chunk.code,
                level=chunk.level,
                part=chunk.part,
                count=chunk.count,
                size=len(chunk.data),
                decoded_size=chunk.decoded_size,
                crc=zlib.crc32(chunk.data),
                digest=chunk.digest,
            )
            for chunk in chunks
        ],
    )
    header = Header(
        levels=len(levels),
        anchors=levels[-1].anchors,
        file_size=table.end,
        chunks=len(chunks),
        table_size=table_size(len(levels), len(chunks)),
    )
    packed = table.pack()
    # Nothing leaves that a reader would refuse.
    ChunkTable.unpack(packed, header, DecodeLimits())
    result = bytearray(header.pack() + packed)
    for record, chunk in zip(table.chunks, chunks, strict=True):
        result += bytes(record.offset - len(result)) + chunk.data
    return bytes(result)


def _front_chunk(kind: ChunkType, data: bytes) -> FileChunk:
    return FileChunk(code=kind.value, level=0, count=1, data=data)
