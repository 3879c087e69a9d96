"""The two kinds of splat file, read piece by piece: bytes in, a SplatCloud a level out.

Runs in the decoding thread of a `SplatFile`; knows neither threads nor Blender.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pcgs_engine.codec import FileInfo, ProgressiveDecoder
from pcgs_engine.codec.inspect import inspect_stream
from pcgs_engine.errors import PcgsError, SplatFileError, TruncatedError
from pcgs_engine.splats import SplatCloud, to_splats
from pcgs_engine.splats.ply import read_ply

from .byte_source import ByteSource, DiskSource

__all__ = ["PcgsReading", "PlyReading", "Reading", "Sink", "reading_of"]

READ_SIZE = 1 << 18
"""Bytes between two looks at the cancel flag."""
LEVEL_LIMIT = 16
"""Levels a file may have (FORMAT.md §9)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sink:
    """Where a reading puts what it finds."""

    cancelled: Callable[[], bool]
    on_info: Callable[[FileInfo], None]
    on_thumbnail: Callable[[bytes], None]
    """JPEG or PNG."""
    on_level: Callable[[int, SplatCloud], None]
    """Level (from 1) and its splats."""
    on_progress: Callable[[float], None]
    """Share of the file read, 0..1."""


class Reading(Protocol):
    """A file being read; `advance` may be called again when the file has grown."""

    @property
    def levels(self) -> int:
        """Levels of the file; 0 = not known yet."""

    @property
    def shortage(self) -> str:
        """What is missing, in words; empty when nothing is."""

    def advance(self, sink: Sink) -> None:
        """Read on from where the last call ended to the present end of the file.

        Raises:
            PcgsError: the bytes are damaged; levels handed out before stay good.
            OSError: the file cannot be read.
        """


class PcgsReading:
    """A `.pcgs` file: level after level, each as soon as its last byte is there."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._decoder = ProgressiveDecoder()
        self._offset = 0
        self._handed_out = 0
        self._info: FileInfo | None = None

    @property
    def levels(self) -> int:
        """Levels of the file; 0 = not known yet."""
        header = self._decoder.header
        return header.levels if header else 0

    @property
    def shortage(self) -> str:
        """What is missing, in words; empty when nothing is."""
        return self._decoder.shortage

    def advance(self, sink: Sink) -> None:
        """Decode what is there and not decoded yet."""
        with self._source.open() as stream:
            stream.seek(self._offset)
            self._report(sink)  # a cancelled call may have decoded more than it handed out
            while not sink.cancelled():
                data = stream.read(self._next_size())
                if not data:
                    break
                self._offset += len(data)
                try:
                    self._decoder.feed(data)
                finally:
                    # A damaged chunk may follow a level that the same bytes completed.
                    self._report(sink)

    def _next_size(self) -> int:
        """Bytes to read next: never past the end of a level, so that it is shown at once."""
        table = self._decoder.table
        ends = [level.end for level in table.levels if level.end > self._offset] if table else []
        return min([READ_SIZE, *(end - self._offset for end in ends)])

    def _report(self, sink: Sink) -> None:
        decoder = self._decoder
        if decoder.header is not None:
            sink.on_progress(min(self._offset / max(decoder.header.file_size, 1), 1.0))
        if self._info is None and decoder.table is not None:
            self._info = self._inspect()
            if self._info is not None:
                sink.on_info(self._info)
        while self._handed_out < decoder.levels_ready and not sink.cancelled():
            level = self._handed_out + 1
            if level == 1 and decoder.thumbnail:
                sink.on_thumbnail(decoder.thumbnail)
            cloud = to_splats(
                decoder.anchors(level), decoder.head, decoder.config, decoder.camera_centres
            )
            self._handed_out = level
            sink.on_level(level, cloud)

    def _inspect(self) -> FileInfo | None:
        with self._source.open() as stream:
            try:
                info = inspect_stream(stream)
            except PcgsError:
                return None  # damaged metadata: the decoder will say so, with the place
        # Metadata follow the table; a growing file may not have them yet.
        return info if info.metadata or info.received >= info.levels[0].bytes else None


class PlyReading:
    """A 3DGS PLY: one level. Used for previews of a training and for other people's splats."""

    def __init__(self, source: ByteSource) -> None:
        if not isinstance(source, DiskSource):
            raise SplatFileError("a PLY cannot be read from packed bytes; unpack the object first")
        self._path: Path = source.path

    @property
    def levels(self) -> int:
        """A PLY has one level."""
        return 1

    @property
    def shortage(self) -> str:
        """A PLY is read whole or not at all."""
        return ""

    def advance(self, sink: Sink) -> None:
        """Read the file."""
        with self._path.open("rb"):
            pass  # FileNotFoundError stays one; read_ply would make it a SplatFileError
        cloud = read_ply(self._path)
        if not len(cloud):
            raise SplatFileError(f"{self._path.name}: no splats in the file; export it again")
        sink.on_progress(1.0)
        sink.on_level(1, cloud)


def reading_of(source: ByteSource) -> Reading:
    """Return the reading that fits a source, judged by its name.

    Raises:
        TruncatedError: the file is empty so far.
    """
    stamp = source.stamp()
    if stamp is not None and stamp.size == 0:
        raise TruncatedError("the file is empty; wait for its download or fetch it again")
    if isinstance(source, DiskSource) and source.path.suffix.lower() == ".ply":
        return PlyReading(source)
    return PcgsReading(source)
