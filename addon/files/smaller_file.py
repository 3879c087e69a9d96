"""A `.pcgs` cut at a level or a size: where the file is and where to cut in, bytes out."""

from dataclasses import dataclass
from pathlib import Path

from pcgs_engine.codec import truncate_to_bytes, truncate_to_level

from .byte_source import ByteSource, DiskSource, PackedSource

__all__ = ["Cut", "smaller_file"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Where to cut; exactly one is given."""

    level: int | None = None
    max_bytes: int | None = None


def smaller_file(source: ByteSource, cut: Cut) -> bytes:
    """Return the whole smaller file.

    Raises:
        PcgsError: no such level, too few bytes for level 1, or a source that ends before.
        OSError: the source cannot be read.
    """
    origin = _origin(source)
    if cut.level is not None:
        return truncate_to_level(origin, cut.level)
    if cut.max_bytes is not None:
        return truncate_to_bytes(origin, cut.max_bytes)
    raise ValueError("a cut needs a level or a size")


def _origin(source: ByteSource) -> bytes | Path:
    if isinstance(source, DiskSource):
        return source.path
    if isinstance(source, PackedSource):
        return source.data
    raise TypeError(f"{source.identity} is no file that can be cut")
