"""Bytes and text of a scene's small files; failures become one-line SceneErrors."""

from pathlib import Path

from ..errors import SceneError

__all__ = ["read_file_bytes", "read_file_text", "unreadable"]


def unreadable(path: Path, error: OSError) -> SceneError:
    """Return the error that says why `path` cannot be read and what to do."""
    if isinstance(error, PermissionError):
        return SceneError(f"{path}: permission denied; allow reading it or copy it elsewhere")
    if isinstance(error, FileNotFoundError):
        return SceneError(f"{path}: file is missing; restore it or choose another scene folder")
    reason = error.strerror or str(error)
    return SceneError(f"{path}: cannot be read ({reason}); check the disk and the path")


def read_file_bytes(path: Path) -> bytes:
    """Return the content of `path`.

    Raises:
        SceneError: missing, a folder, or not readable.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def read_file_text(path: Path) -> str:
    """Return the content of `path` decoded from UTF-8, with or without byte order mark.

    Raises:
        SceneError: missing, not readable, or not UTF-8 (with the byte offset).
    """
    try:
        return read_file_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SceneError(
            f"{path}: byte {error.start} is not UTF-8 text; save the file as UTF-8"
        ) from error
