"""Where the bytes of a splat file come from: a path on disk, or bytes packed into the .blend."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

__all__ = ["ByteSource", "DiskSource", "FileStamp", "PackedSource", "packed_digest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStamp:
    """What tells one content of a path from the next."""

    number: int
    """Inode: a file written beside and renamed over the old one has another."""
    modified: int
    """Nanoseconds."""
    size: int

    def may_continue_as(self, other: "FileStamp") -> bool:
        """Return whether `other` can be this file with more bytes at its end."""
        return self.number == other.number and other.size > self.size


class ByteSource(Protocol):
    """Bytes that can be opened again and again."""

    @property
    def identity(self) -> str:
        """Key of the registry; equal for sources with the same bytes behind them."""

    def open(self) -> BinaryIO:
        """Return a seekable stream from the start; OSError where there is none."""

    def stamp(self) -> FileStamp | None:
        """Return the present stamp; None where there is no file."""


@dataclass(frozen=True, slots=True)
class DiskSource:
    """A file on disk."""

    path: Path  # absolute

    @property
    def identity(self) -> str:
        """The absolute path."""
        return str(self.path)

    def open(self) -> BinaryIO:
        """Open the file."""
        return self.path.open("rb")

    def stamp(self) -> FileStamp | None:
        """Ask the file system."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return FileStamp(number=status.st_ino, modified=status.st_mtime_ns, size=status.st_size)


@dataclass(frozen=True, slots=True)
class PackedSource:
    """Bytes held in memory."""

    data: bytes
    digest: str

    @property
    def identity(self) -> str:
        """The digest, so that copies of a packed object share one decoded file."""
        return f"packed:{self.digest}"

    def open(self) -> BinaryIO:
        """Return the bytes as a stream."""
        return io.BytesIO(self.data)

    def stamp(self) -> FileStamp:
        """Bytes in memory never change."""
        return FileStamp(number=0, modified=0, size=len(self.data))


def packed_digest(data: bytes) -> str:
    """Return what identifies packed bytes."""
    return hashlib.sha256(data).hexdigest()
