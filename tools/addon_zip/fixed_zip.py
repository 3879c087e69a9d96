"""Zip archives that are the same bytes every time: {name in the archive: content} in, a file out.

Entries are sorted, times and permissions fixed. Wheels and the extension zip are written here.
"""

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["files_below", "write_zip"]

EPOCH = (2020, 1, 1, 0, 0, 0)
READABLE, EXECUTABLE = 0o100644, 0o100755
LIBRARY_SUFFIXES = (".so", ".dylib", ".dll")
LEFT_OUT_FOLDERS = {"__pycache__", "lib_sanitized"}
LEFT_OUT_SUFFIXES = (".pyc", ".pyo", ".nbi", ".nbc")


def write_zip(path: Path, content: Mapping[str, bytes | Path]) -> None:
    """Write `content` (bytes, or the file that has them) to `path`, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".part")
    try:
        with zipfile.ZipFile(fresh, "w") as archive:
            for name in sorted(content):
                _write_entry(archive, name, content[name])
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _write_entry(archive: zipfile.ZipFile, name: str, data: bytes | Path) -> None:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.create_system = 3  # Unix, also where this runs on Windows
    mode = EXECUTABLE if name.endswith(LIBRARY_SUFFIXES) else READABLE
    entry.external_attr = mode << 16
    stored = name.endswith(".whl")  # compressed already
    entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    if isinstance(data, bytes):
        archive.writestr(entry, data, compresslevel=None if stored else 9)
        return
    entry.file_size = data.stat().st_size  # decides between 32 and 64 bits before it is written
    with data.open("rb") as source, archive.open(entry, "w") as target:
        shutil.copyfileobj(source, target, 1 << 20)


def files_below(folder: Path) -> dict[str, bytes]:
    """Return every file worth shipping: no caches, no hidden files, no sanitizer builds."""
    found = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        hidden = any(part.startswith(".") or part in LEFT_OUT_FOLDERS for part in inside.parts)
        if path.is_file() and not hidden and not path.name.endswith(LEFT_OUT_SUFFIXES):
            found[inside.as_posix()] = path.read_bytes()
    return found
