"""Write result files so that a reader sees the old file or the whole new one, never a part.

In: a path and bytes (or a function that writes to an open binary file). Out: the file. Everything
that writes a result goes through here, so that a full disk or a missing permission is one
`OutputError` that names the file and leaves nothing behind.
"""

import contextlib
import errno
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from .errors import OutputError

__all__ = ["make_folder", "output_errors", "write_atomically"]

REMEDIES = {
    errno.ENOSPC: "free some disk space or choose another folder",
    errno.EDQUOT: "free some disk space or choose another folder",
    errno.EFBIG: "choose a disk that takes larger files",
    errno.EACCES: "choose a folder you may write to",
    errno.EPERM: "choose a folder you may write to",
    errno.EROFS: "choose a folder on a writable disk",
    errno.EISDIR: "give a file name, not a folder",
    errno.ENOTDIR: "choose another folder, a file of that name is in the way",
    errno.EEXIST: "choose another folder, a file of that name is in the way",
    errno.ENAMETOOLONG: "choose a shorter name",
}


@contextlib.contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn an OSError of the body into an OutputError about `path`.

    For writers that cannot go through `write_atomically` (a log that grows, a library call).

    Raises:
        OutputError: the body raised OSError.
    """
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        remedy = REMEDIES.get(error.errno or 0, "check the path and the disk")
        raise OutputError(f"cannot write {path}: {reason}; {remedy}") from error


def make_folder(folder: Path) -> None:
    """Create `folder` and its parents; no error where it exists.

    Raises:
        OutputError: it cannot be created, or a file is in the way.
    """
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)


def write_atomically(path: Path, data: bytes | Callable[[BinaryIO], object]) -> None:
    """Write `path` through a temporary file beside it and a rename; parents are created.

    Args:
        path: the result; an existing file is replaced only when the new one is complete.
        data: the content, or a function that writes it to the open file it is given
            (`lambda file: np.savez(file, a=a)`, `lambda file: image.save(file, "PNG")`).

    Raises:
        OutputError: permission, disk space, or a folder of that name.
    """
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name[:64]}.{secrets.token_hex(4)}.part")
    with output_errors(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        try:
            _write_and_sync(temporary, data)
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


def _write_and_sync(path: Path, data: bytes | Callable[[BinaryIO], object]) -> None:
    """Write the content and wait until it is on the disk, so that a crash cannot undo a rename."""
    with path.open("xb") as file:
        if callable(data):
            data(file)
        else:
            file.write(data)
        file.flush()
        os.fsync(file.fileno())
