"""Look into a `.pcgs` file without decoding it: header, table and metadata in, FileInfo out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..bitstream import ChunkRecord, ChunkTable, ChunkType, DecodeLimits, image_kind
from ..errors import ConfigError, TruncatedError
from .cut_points import CutPoint, cut_points
from .file_front import read_chunk, read_front, read_metadata
from .level_metadata import level_quality

__all__ = [
    "ComponentInfo",
    "FileInfo",
    "LevelInfo",
    "inspect_file",
    "inspect_stream",
    "read_thumbnail",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelInfo:
    """One level."""

    level: int
    bytes: int
    """Length of the file prefix that the level needs."""
    anchors: int
    splats: int
    """Gaussians present; those with opacity <= 0 are dropped later."""
    psnr: float | None
    ssim: float | None
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentInfo:
    """All chunks of one type in a level."""

    level: int
    type: str
    bytes: int
    """Stored bytes of all parts."""
    parts: int
    """Number of chunks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileInfo:
    """What `pcgs inspect` shows."""

    format_version: str
    anchors: int
    file_size: int
    """As the header says."""
    received: int
    """Bytes that are there."""
    thumbnail_bytes: int
    """0 = none."""
    levels: tuple[LevelInfo, ...]
    components: tuple[ComponentInfo, ...]
    cut_points: tuple[CutPoint, ...]
    metadata: dict[str, object]
    """Empty where the file ends before its metadata."""

    @property
    def complete(self) -> bool:
        """Whether the whole file is there and nothing behind it."""
        return self.received == self.file_size

    @property
    def reached(self) -> CutPoint | None:
        """The last cut point whose bytes are there."""
        whole = [cut for cut in self.cut_points if cut.end <= self.received]
        return whole[-1] if whole else None


def inspect_file(path: Path, *, limits: DecodeLimits | None = None) -> FileInfo:
    """Read header, table and metadata of a file or of a prefix that holds header and table.

    Raises:
        BitstreamError: they are damaged, cut off or beyond the limits.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        return inspect_stream(stream, limits=limits)


def inspect_stream(stream: BinaryIO, *, limits: DecodeLimits | None = None) -> FileInfo:
    """Do the same for an open, seekable file, from its start."""
    bounds = limits or DecodeLimits()
    front = read_front(stream, bounds)
    metadata = read_metadata(stream, front, bounds)
    thumbnails = (c.size for c in front.table.chunks if c.kind is ChunkType.THUMBNAIL)
    return FileInfo(
        format_version=front.header.format_version,
        anchors=front.header.anchors,
        file_size=front.header.file_size,
        received=front.received,
        thumbnail_bytes=sum(thumbnails),
        levels=_levels(front.table, metadata),
        components=_components(front.table.chunks),
        cut_points=cut_points(front.table),
        metadata=metadata,
    )


def read_thumbnail(path: Path, *, limits: DecodeLimits | None = None) -> bytes:
    """Return the JPEG or PNG in a file.

    Raises:
        ConfigError: the file has none.
        BitstreamError: the file is damaged, or cut off before it.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        front = read_front(stream, limits or DecodeLimits())
        if not any(c.kind is ChunkType.THUMBNAIL for c in front.table.chunks):
            raise ConfigError("file has no thumbnail; encode it with one")
        record = front.chunk_of(ChunkType.THUMBNAIL)
        if record is None:
            raise TruncatedError(f"file ends at byte {front.received}, before its thumbnail")
        data = read_chunk(stream, record)
    image_kind(data)
    return data


def _levels(table: ChunkTable, metadata: dict[str, object]) -> tuple[LevelInfo, ...]:
    return tuple(
        LevelInfo(
            level=record.level,
            bytes=record.end,
            anchors=record.anchors,
            splats=record.gaussians,
            psnr=level_quality(metadata, record.level, "psnr"),
            ssim=level_quality(metadata, record.level, "ssim"),
            digest=record.digest.hex(),
        )
        for record in table.levels
    )


def _components(chunks: Sequence[ChunkRecord]) -> tuple[ComponentInfo, ...]:
    """Sum over the parts, in order of first appearance."""
    sizes: dict[tuple[int, bytes], list[int]] = {}
    for chunk in chunks:
        sizes.setdefault((chunk.level, chunk.code), []).append(chunk.size)
    return tuple(
        ComponentInfo(level=level, type=code.decode("ascii"), bytes=sum(own), parts=len(own))
        for (level, code), own in sizes.items()
    )
