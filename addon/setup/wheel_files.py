"""Wheel files on disk: which belong to a plan, how large they become, what their hashes are."""

import dataclasses
import hashlib
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from .engine_lock import LockedPackage
from .torch_build import UncheckedWheel

__all__ = ["pinned", "unpacked_bytes", "wheels_of"]


def wheels_of(items: Sequence[LockedPackage | UncheckedWheel], folder: Path) -> list[Path]:
    """Return the files that pip will take from a folder."""
    found = []
    for item in items:
        if isinstance(item, UncheckedWheel):
            found += [] if item.path is None else [item.path]
        else:
            found += [folder / name for name in item.files if (folder / name).is_file()][:1]
    return found


def unpacked_bytes(wheels: Iterable[Path]) -> int:
    """Return the bytes of all files inside; 0 for one that is damaged, which pip then says."""
    total = 0
    for wheel in wheels:
        try:
            with zipfile.ZipFile(wheel) as archive:
                total += sum(entry.file_size for entry in archive.infolist())
        except zipfile.BadZipFile:
            continue
    return total


def pinned(wheel: UncheckedWheel, folder: Path) -> UncheckedWheel:
    """Bind a wheel that has been downloaded to the file that came, if nothing did before."""
    if wheel.sha256:
        return wheel
    path = next(folder.glob(f"{wheel.name}-{wheel.version}-*.whl"))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return dataclasses.replace(wheel, path=path, size=path.stat().st_size, sha256=digest)
