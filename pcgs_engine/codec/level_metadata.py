"""The `levels` list of the metadata: what it says of a level, and how it is cut. FORMAT.md §4.1.

Metadata may come from anybody: anything odd counts as absent.
"""

__all__ = ["cut_metadata", "level_quality"]

LARGEST = 1e6
"""Beyond every PSNR and SSIM; JSON has integers that no float holds."""


def level_quality(metadata: dict[str, object], level: int, name: str) -> float | None:
    """Return `metadata["levels"][i][name]` of `level` where it is a sensible number."""
    for entry in _entries(metadata):
        if _level_of(entry) == level and isinstance(entry, dict):
            value = entry.get(name)
            if isinstance(value, (int, float)) and type(value) is not bool:
                return float(value) if -LARGEST <= value <= LARGEST else None
    return None


def cut_metadata(metadata: dict[str, object], level: int, *, partial: bool) -> dict[str, object]:
    """Return the metadata of a file cut in or after `level`.

    Args:
        metadata: of the whole file.
        level: last level that is kept.
        partial: whether it lost refinements; what was measured of it then no longer holds, and
            its entry becomes `{"level": level, "partial": true}`.
    """
    entries = metadata.get("levels")
    if not isinstance(entries, list):
        return metadata
    whole = level - 1 if partial else level
    kept: list[object] = [e for e in entries if (_level_of(e) or level + 1) <= whole]
    if partial and any(_level_of(entry) == level for entry in entries):
        kept.append({"level": level, "partial": True})
    return {**metadata, "levels": kept}


def _entries(metadata: dict[str, object]) -> list[object]:
    entries = metadata.get("levels")
    return entries if isinstance(entries, list) else []


def _level_of(entry: object) -> int | None:
    level = entry.get("level") if isinstance(entry, dict) else None
    return level if type(level) is int and level >= 1 else None
