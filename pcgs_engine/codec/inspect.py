"""Look into a `.pcgs` file without decoding it: header, table and metadata in, FileInfo out."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path

from ..bitstream import (
    HEADER_SIZE,
    ChunkTable,
    ChunkType,
    DecodeLimits,
    Header,
    check_crc,
    unpack_json,
)
from ..errors import TruncatedError

__all__ = ["ComponentInfo", "FileInfo", "LevelInfo", "inspect_file"]


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
    """One chunk."""

    level: int
    type: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileInfo:
    """What `pcgs inspect` shows."""

    format_version: str
    anchors: int
    file_size: int
    levels: tuple[LevelInfo, ...]
    components: tuple[ComponentInfo, ...]
    metadata: dict[str, object]

    def to_json(self) -> dict[str, object]:
        """Return the dictionary behind `inspect --json`."""
        return {
            "format_version": self.format_version,
            "anchors": self.anchors,
            "levels": [asdict(level) for level in self.levels],
            "components": [asdict(part) for part in self.components],
            "metadata": self.metadata,
        }


def inspect_file(path: Path, *, limits: DecodeLimits | None = None) -> FileInfo:
    """Read header, table and metadata of a file or of a prefix that holds them.

    Raises:
        BitstreamError: they are damaged, cut off or beyond the limits.
        OSError: the file cannot be read.
    """
    bounds = limits or DecodeLimits()
    metadata: dict[str, object] = {}
    with path.open("rb") as stream:
        head = stream.read(HEADER_SIZE)
        if len(head) < HEADER_SIZE:
            raise TruncatedError(f"{path}: {len(head)} bytes, wanted a header of {HEADER_SIZE}")
        header = Header.unpack(head, bounds)
        raw = stream.read(header.table_size)
        if len(raw) < header.table_size:
            raise TruncatedError(f"{path}: ends inside the chunk table; fetch the rest")
        table = ChunkTable.unpack(raw, header, bounds)
        for chunk in table.chunks:
            if chunk.code == ChunkType.METADATA.value and chunk.size <= bounds.metadata_bytes:
                stream.seek(chunk.offset)
                data = stream.read(chunk.size)
                check_crc(f"{path}: {chunk.name}", data, chunk.crc)
                metadata = unpack_json("mETA", data, bounds)
    return FileInfo(
        format_version=header.format_version,
        anchors=header.anchors,
        file_size=header.file_size,
        levels=_levels(table, metadata),
        components=tuple(
            ComponentInfo(level=c.level, type=c.code.decode("ascii", "replace"), bytes=c.size)
            for c in table.chunks
        ),
        metadata=metadata,
    )


def _levels(table: ChunkTable, metadata: dict[str, object]) -> tuple[LevelInfo, ...]:
    return tuple(
        LevelInfo(
            level=record.level,
            bytes=record.end,
            anchors=record.anchors,
            splats=record.gaussians,
            psnr=_quality(metadata, record.level, "psnr"),
            ssim=_quality(metadata, record.level, "ssim"),
            digest=record.digest.hex(),
        )
        for record in table.levels
    )


def _quality(metadata: dict[str, object], level: int, name: str) -> float | None:
    """Find `metadata["levels"][i][name]` of `level`; anything odd counts as absent."""
    entries = metadata.get("levels")
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.get("level") == level:
            value = entry.get(name)
            if isinstance(value, (int, float)) and math.isfinite(value):
                return float(value)
    return None
