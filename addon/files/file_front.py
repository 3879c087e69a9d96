"""What an import asks of a file before anything is decoded: a path in, `FileFront` out.

Reads header, table, metadata and camera centres: milliseconds, whatever the file's size.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pcgs_engine.bitstream import ChunkType, DecodeLimits
from pcgs_engine.codec.file_front import read_chunk, read_front, read_metadata
from pcgs_engine.codec.scene_chunks import unpack_cameras
from pcgs_engine.errors import PcgsError, TruncatedError

__all__ = ["FileFront", "read_file_front"]

TITLE_LENGTH = 60
"""Object names end at 63 bytes in Blender 4.2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFront:
    """What is known before decoding."""

    title: str
    """From the metadata, else the file's name."""
    levels: int
    """0 = not known yet: the file is still arriving, or a PLY."""
    metadata: dict[str, object]
    camera_centres: npt.NDArray[np.float32]  # [V, 3]
    missing_bytes: int
    """Bytes that the header promises and that are not there."""


def read_file_front(path: Path) -> FileFront:
    """Read the front of a `.pcgs` file; for a file that is still arriving, as far as it goes.

    Raises:
        PcgsError: not a `.pcgs` file, of another version, or damaged.
        OSError: it cannot be read.
    """
    limits = DecodeLimits()
    nothing = np.zeros((0, 3), np.float32)
    with path.open("rb") as stream:
        try:
            front = read_front(stream, limits)
        except TruncatedError:
            return FileFront(
                title=path.stem, levels=0, metadata={}, camera_centres=nothing, missing_bytes=1
            )
        metadata = read_metadata(stream, front, limits)
        record = front.chunk_of(ChunkType.CAMERAS)
        cameras = unpack_cameras(read_chunk(stream, record), limits) if record else nothing
    missing = front.header.file_size - front.received
    if missing < 0:
        raise PcgsError(f"{-missing} foreign bytes follow the end of the file; fetch it again")
    return FileFront(
        title=_title(metadata) or path.stem,
        levels=front.header.levels,
        metadata=metadata,
        camera_centres=cameras,
        missing_bytes=missing,
    )


def _title(metadata: dict[str, object]) -> str:
    """Return the metadata's title where it can be a name."""
    title = metadata.get("title")
    if not isinstance(title, str) or not title.isprintable():
        return ""
    return title.strip()[:TITLE_LENGTH]
