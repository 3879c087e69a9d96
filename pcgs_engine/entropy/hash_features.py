"""Hash features of anchor positions: positions in, `[N, G]` float64 out. Numpy float64 twin.

Rules: docs/design.md, "Hash grid"; FORMAT.md §8.1. The trainable float twin is `model/hash_grid`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..config import HashGridConfig
from .weights import HashGridWeights

__all__ = ["GridLevel", "grid_entries", "grid_levels", "hash_features"]

Float64Array = npt.NDArray[np.float64]
Int64Array = npt.NDArray[np.int64]

PRIMES = (1, 2654435761, 805459861)
"""Multipliers of the spatial hash. Source: facts §2.1."""
BATCH = 8192
"""Positions evaluated at once: bounds memory, does not change results."""


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


def hash_features(
    grid: HashGridWeights,
    positions: Float64Array,  # [N, 3]
) -> Float64Array:
    """Evaluate the grid.

    Args:
        grid: signs and box.
        positions: `[N, 3] float64`, world units.

    Returns:
        `[N, G] float64`, levels concatenated; zeros outside the box.
    """
    levels = grid_levels(grid.config)
    width = grid.config.features_per_level
    signs = grid.signs.astype(np.float64)
    low = grid.box_min.astype(np.float64)
    size = grid.box_max.astype(np.float64) - low
    size[size <= 0] = 1.0
    result = np.zeros((len(positions), width * len(levels)))
    for begin in range(0, len(positions), BATCH):
        unit = (positions[begin : begin + BATCH] - low) / size
        inside: npt.NDArray[np.bool_] = np.all((unit >= 0) & (unit <= 1), axis=1)
        unit = np.where(inside[:, None], unit, 0.5)
        for i, level in enumerate(levels):
            values = _level_features(level, signs, unit)
            values[~inside] = 0.0
            result[begin : begin + BATCH, i * width : (i + 1) * width] = values
    return result


def _level_features(level: GridLevel, signs: Float64Array, unit: Float64Array) -> Float64Array:
    place = unit[:, list(level.axes)] * (level.resolution - 2) + 0.5
    cell = np.floor(place).astype(np.int64)
    fraction = place - cell
    total = np.zeros((len(unit), signs.shape[1]))
    weight_sum = np.zeros(len(unit))
    for corner in range(2 ** len(level.axes)):
        weight = np.ones(len(unit))
        vertex = cell.copy()
        for axis in range(len(level.axes)):
            upper = corner >> axis & 1
            vertex[:, axis] += upper
            weight *= fraction[:, axis] if upper else 1.0 - fraction[:, axis]
        weight[((vertex <= 0) | (vertex >= level.resolution - 1)).any(axis=1)] = 0.0
        total += weight[:, None] * signs[level.start + _rows(level, vertex)]
        weight_sum += weight
    empty = weight_sum == 0
    return np.where(empty[:, None], 0.0, total / np.where(empty, 1.0, weight_sum)[:, None])


def _rows(level: GridLevel, vertex: Int64Array) -> Int64Array:
    if level.dense:
        strides = level.resolution ** np.arange(vertex.shape[1], dtype=np.int64)
        rows: Int64Array = (vertex * strides).sum(axis=1)
        return rows
    key = np.zeros(len(vertex), dtype=np.int64)
    for axis in range(vertex.shape[1]):
        key ^= vertex[:, axis] * PRIMES[axis]
    return (key & 0xFFFFFFFF) % level.entries
