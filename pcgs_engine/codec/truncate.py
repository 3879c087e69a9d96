"""Cut a `.pcgs` file at a level: bytes in, a valid smaller file out, nothing decoded."""

from pathlib import Path

from ..bitstream import (
    HEADER_SIZE,
    ChunkRecord,
    ChunkTable,
    ChunkType,
    DecodeLimits,
    Header,
    check_crc,
    pack_json,
    unpack_json,
)
from ..errors import ConfigError, LimitExceededError, TruncatedError
from .encoded_scene import EncodedLevel, FileChunk, assemble

__all__ = ["truncate_to_bytes", "truncate_to_level"]


def truncate_to_level(source: bytes | Path, level: int) -> bytes:
    """Return a file of the first `level` levels.

    Header, table and the metadata's `levels` list are rewritten; all other chunks are copied.

    Raises:
        ConfigError: the file has no such level.
        TruncatedError: the source ends before it.
        BitstreamError: the source is damaged.
    """
    data = source.read_bytes() if isinstance(source, Path) else source
    limits = DecodeLimits()
    table = _read_table(data, limits)
    if not 1 <= level <= len(table.levels):
        raise ConfigError(f"level is {level}, wanted 1..{len(table.levels)}")
    end = table.levels[level - 1].end
    if len(data) < end:
        raise TruncatedError(f"file ends at byte {len(data)}, wanted {end} for level {level}")
    chunks = []
    for record in (c for c in table.chunks if c.level <= level):
        body = data[record.offset : record.end]
        check_crc(record.name, body, record.crc)
        if record.code == ChunkType.METADATA.value:
            body = _shorter_metadata(body, level, limits)
        chunks.append(_moved(record, body))
    levels = tuple(
        EncodedLevel(anchors=r.anchors, gaussians=r.gaussians, digest=r.digest)
        for r in table.levels[:level]
    )
    return assemble(tuple(chunks), levels)


def truncate_to_bytes(source: bytes | Path, max_bytes: int) -> bytes:
    """Return the file of the most whole levels that has at most `max_bytes` bytes.

    Raises:
        LimitExceededError: level 1 alone is larger; the message says its size.
        BitstreamError: the source is damaged.
    """
    data = source.read_bytes() if isinstance(source, Path) else source
    table = _read_table(data, DecodeLimits())
    size = 0
    for record in reversed(table.levels):
        if record.end > len(data):
            continue
        result = truncate_to_level(data, record.level)
        if len(result) <= max_bytes:
            return result
        size = len(result)
    raise LimitExceededError(
        f"level 1 needs {size} bytes, wanted at most {max_bytes}; allow at least {size}"
    )


def _read_table(data: bytes, limits: DecodeLimits) -> ChunkTable:
    if len(data) < HEADER_SIZE:
        raise TruncatedError(f"file of {len(data)} bytes, wanted a header of {HEADER_SIZE}")
    header = Header.unpack(data[:HEADER_SIZE], limits)
    raw = data[HEADER_SIZE : HEADER_SIZE + header.table_size]
    if len(raw) < header.table_size:
        raise TruncatedError(f"file ends at byte {len(data)}, inside the chunk table")
    return ChunkTable.unpack(raw, header, limits)


def _shorter_metadata(body: bytes, level: int, limits: DecodeLimits) -> bytes:
    values = unpack_json("mETA", body, limits)
    entries = values.get("levels")
    if isinstance(entries, list):
        values["levels"] = entries[:level]
    return pack_json(values, limits)


def _moved(record: ChunkRecord, body: bytes) -> FileChunk:
    return FileChunk(
        code=record.code,
        level=record.level,
        count=record.count,
        data=body,
        decoded_size=record.decoded_size,
    )
