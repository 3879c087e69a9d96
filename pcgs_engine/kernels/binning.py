"""Which Gaussians touch which tile of 16 x 16 pixels, listed in depth order.

In: records of projected Gaussians and their depth order. Out: records packed in that order, and
per tile the list of (Gaussian, slot) pairs. Slots number the pairs in the original order of the
Gaussians, so that the gradients of one lie side by side. Counting first makes the scatter stable:
the lists need no sort and do not depend on how the Gaussians were split among threads.
"""

import math

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["TILE", "count_hits", "place_hits", "scatter_hits"]

TILE = 16
"""Side of a tile in pixels."""
SLACK = 1e-4
"""Relative and absolute (px) margin of the tile test over rounding; pixels are tested exactly."""

PACK_BLOCK = 64
"""Records copied in one go; they stay in the innermost cache until they are counted."""

Floats = npt.NDArray[np.float32]
Longs = npt.NDArray[np.int64]


@njit(nogil=True, cache=True, error_model="numpy")
def _tile_rows(record: Floats, rows: int) -> tuple[int, int]:
    """First and last + 1 row of tiles with a pixel centre inside the ellipse's height."""
    half = record[15] * (1.0 + SLACK) + SLACK
    low = math.ceil(max(record[1] - half - 0.5, 0.0))
    high = math.floor(min(record[1] + half - 0.5, float(rows * TILE - 1)))
    if high < low:
        return 0, 0
    return int(low) // TILE, int(high) // TILE + 1


@njit(nogil=True, cache=True, error_model="numpy")
def _tile_columns(record: Floats, row: int, columns: int) -> tuple[int, int]:
    """First and last + 1 tile of a row of tiles that the ellipse touches.

    The ellipse's right edge x(y) is concave with its peak at y = record[14], so its maximum over
    the band of the row's pixel centres lies at the peak clamped to the band; mirrored on the left.
    """
    half_height = np.float64(record[15]) * (1.0 + SLACK)
    low = max(row * TILE + 0.5 - record[1], -half_height)
    high = min(row * TILE + TILE - 0.5 - record[1], half_height)
    level = half_height * half_height * record[13]
    right_y = min(max(np.float64(record[14]), low), high)
    left_y = min(max(-np.float64(record[14]), low), high)
    right = math.sqrt(record[12] * max(level - right_y * right_y * record[13], 0.0))
    left = math.sqrt(record[12] * max(level - left_y * left_y * record[13], 0.0))
    reach = SLACK * (1.0 + right + left)
    x_low = record[0] + record[11] * left_y - left - reach - 0.5
    x_high = record[0] + record[11] * right_y + right + reach - 0.5
    first = math.ceil(max(x_low, 0.0))
    last = math.floor(min(x_high, float(columns * TILE - 1)))
    if last < first:
        return 0, 0
    return int(first) // TILE, int(last) // TILE + 1


@njit(nogil=True, cache=True, error_model="numpy")
def count_hits(
    first: int,
    last: int,
    order: npt.NDArray[np.int32],  # [V]
    records: Floats,  # [M, 16]
    columns: int,
    rows: int,
    packed: Floats,  # [V, 16], out
    slots: Longs,  # [M + 1], out: hits of Gaussian i at i + 1, only where visible
    tile_counts: Longs,  # [tiles], out: hits of this range of Gaussians
) -> None:
    """Pack the records of Gaussians `first..last` of the order and count the tiles they touch."""
    tile_counts[:] = 0
    for begin in range(first, last, PACK_BLOCK):
        end = min(begin + PACK_BLOCK, last)
        # On its own, so that the processor overlaps the scattered reads.
        for i in range(begin, end):
            source, target = records[order[i]], packed[i]
            for k in range(16):
                target[k] = source[k]
        for i in range(begin, end):
            record = packed[i]
            hits = 0
            row_first, row_last = _tile_rows(record, rows)
            for row in range(row_first, row_last):
                column_first, column_last = _tile_columns(record, row, columns)
                hits += column_last - column_first
                for tile in range(row * columns + column_first, row * columns + column_last):
                    tile_counts[tile] += 1
            slots[order[i] + 1] = hits


@njit(nogil=True, cache=True, error_model="numpy")
def place_hits(
    tile_counts: Longs,  # [ranges, tiles], in: counts, out: first place of each range in the list
    starts: Longs,  # [tiles + 1], out: where each tile's list starts
    slots: Longs,  # [M + 1], in: hits at i + 1, out: running sum
) -> None:
    """Turn counts into places: tile by tile, and within a tile range by range."""
    place = 0
    for tile in range(tile_counts.shape[1]):
        starts[tile] = place
        for part in range(tile_counts.shape[0]):
            hits = tile_counts[part, tile]
            tile_counts[part, tile] = place
            place += hits
    starts[tile_counts.shape[1]] = place
    slots[0] = 0
    for i in range(1, len(slots)):
        slots[i] += slots[i - 1]


@njit(nogil=True, cache=True, error_model="numpy")
def scatter_hits(
    first: int,
    last: int,
    order: npt.NDArray[np.int32],  # [V]
    packed: Floats,  # [V, 16]
    columns: int,
    rows: int,
    slots: Longs,  # [M + 1]
    places: Longs,  # [tiles], next place of this range in each tile's list
    hits: npt.NDArray[np.int32],  # [H, 2], out: Gaussian, slot
) -> None:
    """Write the hits of Gaussians `first..last` into the tiles' lists."""
    for i in range(first, last):
        record = packed[i]
        slot = slots[order[i]]
        row_first, row_last = _tile_rows(record, rows)
        for row in range(row_first, row_last):
            column_first, column_last = _tile_columns(record, row, columns)
            for tile in range(row * columns + column_first, row * columns + column_last):
                place = places[tile]
                places[tile] = place + 1
                hits[place, 0] = i
                hits[place, 1] = slot
                slot += 1
