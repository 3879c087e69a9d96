"""Finds the mask that belongs to an image: 0 marks pixels to ignore."""

from pathlib import Path, PurePosixPath

__all__ = ["find_mask"]

_MASK_SUFFIXES = (".png", ".jpg", ".jpeg", ".PNG", ".JPG")


def find_mask(folder: Path, name: str) -> Path | None:
    """Return the file under `folder/masks` for an image, or None.

    Args:
        folder: the scene folder.
        name: image path relative to `folder`, with forward slashes. `masks/` mirrors either
            this path or the path below its first folder (`images/a.jpg` -> `masks/a.png`); the
            mask is called `a.jpg.png` as COLMAP wants it, or `a.png`.
    """
    masks = folder / "masks"
    if not masks.is_dir():
        return None
    relative = PurePosixPath(*(part for part in PurePosixPath(name).parts if part != ".."))
    below = PurePosixPath(*relative.parts[1:]) if len(relative.parts) > 1 else relative
    for stem in (below, relative):
        for suffix in _MASK_SUFFIXES:
            for candidate in (masks / f"{stem}{suffix}", masks / stem.with_suffix(suffix)):
                if candidate.is_file():
                    return candidate
    return None
