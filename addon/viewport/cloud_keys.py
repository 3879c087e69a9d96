"""What the key of a cloud tells about its file: whether it still stands, which level lies below."""

from collections.abc import Hashable

from ..files import LevelCloud, splat_files

__all__ = ["is_current", "level_below"]


def is_current(key: Hashable) -> bool:
    """Whether a cloud's key is still what its file gives for that level."""
    identity, _, level = key
    file = splat_files.find(identity)
    shown = file.shown(level) if file is not None else None
    return shown is not None and shown.key == key


def level_below(key: Hashable) -> LevelCloud | None:
    """Return the next lower level of a cloud's file; None below the first."""
    identity, _, level = key
    file = splat_files.find(identity)
    return file.shown(level - 1) if file is not None and is_current(key) else None
