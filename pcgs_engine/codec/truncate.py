"""Cut a `.pcgs` file at a level or a size: a valid smaller file out, nothing decoded."""

import io
from bisect import bisect_right
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..bitstream import (
    ChunkRecord,
    ChunkType,
    DecodeLimits,
    is_ancillary,
    laid_out_size,
    pack_json,
)
from ..errors import ConfigError, LimitExceededError, TruncatedError
from .cut_points import CutPoint, cut_points
from .encoded_scene import EncodedLevel, FileChunk, assemble
from .file_front import FileFront, read_chunk, read_front, read_metadata
from .level_metadata import cut_metadata

__all__ = ["truncate_to_bytes", "truncate_to_level"]

_Choice = Callable[[ChunkRecord], bool]


def truncate_to_level(source: bytes | Path, level: int) -> bytes:
    """Return a file of the first `level` levels, with all their refinements.

    Header, table and the metadata's `levels` list are rewritten; all other chunks are copied.

    Raises:
        ConfigError: the file has no such level.
        TruncatedError: the source ends before it.
        BitstreamError: the source is damaged.
    """
    with _opened(source) as stream:
        cutter = _Cutter(stream)
        levels = cutter.front.header.levels
        if not 1 <= level <= levels:
            raise ConfigError(f"level is {level}, wanted 1..{levels}")
        cut = [c for c in cut_points(cutter.front.table) if c.level == level][-1]
        return cutter.file(cutter.plan(cut, _is_nothing))


def truncate_to_bytes(source: bytes | Path, max_bytes: int) -> bytes:
    """Return the longest file of whole levels and refinement packages in `max_bytes` bytes.

    Only where level 1 would not fit, the thumbnail is left out, and then the metadata too.

    Raises:
        LimitExceededError: level 1 alone is larger; the message says its size.
        TruncatedError: the source ends before the end of level 1.
        BitstreamError: the source is damaged.
    """
    with _opened(source) as stream:
        cutter = _Cutter(stream)
        for is_dropped in (_is_nothing, _is_beside_metadata, _is_ancillary):
            plan = cutter.longest_plan(max_bytes, is_dropped)
            if plan.size <= max_bytes:
                return cutter.file(plan)
        raise LimitExceededError(
            f"level 1 needs {plan.size} bytes, wanted at most {max_bytes}; "
            f"allow at least {plan.size}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What a smaller file will hold."""

    cut: CutPoint
    chunks: tuple[ChunkRecord, ...]
    """Of the source."""
    metadata: bytes
    """New bytes of mETA."""

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return laid_out_size(
            self.cut.level,
            (len(self.metadata) if _is_metadata(c) else c.size for c in self.chunks),
        )


class _Cutter:
    """A source file; reads what a plan needs."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._limits = DecodeLimits()
        self.front: FileFront = read_front(stream, self._limits)
        self._metadata = read_metadata(stream, self.front, self._limits)

    def plan(self, cut: CutPoint, is_dropped: _Choice) -> _Plan:
        """Return what a file cut there holds; chunks of level 0 may be dropped."""
        chunks = self.front.table.chunks[: cut.chunks]
        kept = tuple(c for c in chunks if c.level or not is_dropped(c))
        return _Plan(cut=cut, chunks=kept, metadata=self._metadata_at(cut))

    def longest_plan(self, max_bytes: int, is_dropped: _Choice) -> _Plan:
        """Return the longest plan of at most `max_bytes` bytes, else that of level 1."""
        cuts = cut_points(self.front.table)
        # At least one: `file` refuses level 1 where the source ends before it.
        cuts = tuple(c for c in cuts if c.end <= self.front.received) or cuts[:1]
        # Sizes rise: each place adds records, and takes fewer bytes from the metadata.
        fitting = bisect_right(cuts, max_bytes, key=lambda cut: self.plan(cut, is_dropped).size)
        return self.plan(cuts[max(fitting - 1, 0)], is_dropped)

    def file(self, plan: _Plan) -> bytes:
        """Return the file.

        Raises:
            TruncatedError: the source ends before it.
            BitstreamError: the source is damaged.
        """
        cut, table, received = plan.cut, self.front.table, self.front.received
        if received < cut.end:
            raise TruncatedError(
                f"file ends at byte {received}, wanted {cut.end} for level {cut.level}; "
                "fetch the rest"
            )
        chunks = [self._copied(record, plan.metadata) for record in plan.chunks]
        levels = [
            EncodedLevel(anchors=record.anchors, gaussians=record.gaussians)
            for record in table.levels[: cut.level]
        ]
        return assemble(chunks, levels)

    def _copied(self, record: ChunkRecord, metadata: bytes) -> FileChunk:
        return FileChunk(
            code=record.code,
            level=record.level,
            part=record.part,
            count=record.count,
            data=metadata if _is_metadata(record) else read_chunk(self._stream, record),
            decoded_size=record.decoded_size,
            digest=record.digest,
        )

    def _metadata_at(self, cut: CutPoint) -> bytes:
        """Return mETA for a cut: as it is where nothing changes, so that cutting twice is once."""
        record = self.front.chunk_of(ChunkType.METADATA)
        if record is None:
            return b""
        changed = cut_metadata(self._metadata, cut.level, partial=cut.partial)
        if changed == self._metadata:
            return read_chunk(self._stream, record)
        return pack_json(changed, self._limits)


def _opened(source: bytes | Path) -> AbstractContextManager[BinaryIO]:
    return source.open("rb") if isinstance(source, Path) else io.BytesIO(source)


def _is_nothing(_: ChunkRecord) -> bool:
    return False


def _is_metadata(record: ChunkRecord) -> bool:
    return record.kind is ChunkType.METADATA


def _is_ancillary(record: ChunkRecord) -> bool:
    return is_ancillary(record.code)


def _is_beside_metadata(record: ChunkRecord) -> bool:
    return is_ancillary(record.code) and not _is_metadata(record)
