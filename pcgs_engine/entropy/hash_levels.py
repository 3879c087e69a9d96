"""Resolutions of the binary hash grid: settings in, the rows of each level in the flat table out.

Rules: docs/design.md, "Hash grid"; FORMAT.md §8.1.
"""

from dataclasses import dataclass

from ..config import HashGridConfig

__all__ = ["GridLevel", "grid_entries", "grid_levels"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GridLevel:
    """One resolution of the grid and its rows in the flat table."""

    axes: tuple[int, ...]
    """Coordinates it looks at: (0, 1, 2), or two of them for a plane."""
    resolution: int
    start: int
    """First row in the flat table."""
    entries: int
    """Rows of this level."""

    @property
    def dense(self) -> bool:
        """Whether every vertex has a row of its own."""
        return bool(self.resolution ** len(self.axes) <= self.entries)


def grid_levels(config: HashGridConfig) -> tuple[GridLevel, ...]:
    """Return the levels in table order: 3-D, then planes xy, xz, yz."""
    plans: list[tuple[tuple[int, ...], int, int]] = [
        ((0, 1, 2), r, config.log2_table_3d) for r in config.resolutions_3d
    ]
    planes: tuple[tuple[int, ...], ...] = ((0, 1), (0, 2), (1, 2))
    for plane in planes:
        plans += [(plane, r, config.log2_table_2d) for r in config.resolutions_2d]
    levels: list[GridLevel] = []
    start = 0
    for axes, resolution, log2_table in plans:
        entries = min(2**log2_table, resolution ** len(axes))
        entries += -entries % 8
        levels.append(GridLevel(axes=axes, resolution=resolution, start=start, entries=entries))
        start += entries
    return tuple(levels)


def grid_entries(config: HashGridConfig) -> int:
    """Return the number of rows of the flat table."""
    last = grid_levels(config)[-1]
    return last.start + last.entries
