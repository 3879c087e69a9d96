"""Tiles to pixels where something opaque hides what lies behind it: compositing up to a depth.

In: packed records, the tiles' lists of hits and a depth limit per pixel. Out: image and alpha of
the Gaussians whose centre is nearer than the limit. The same formulas as `compositing`, written
pixel by pixel; forward only, for pictures that are merged with a host's meshes.
"""

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from .compositing import ALPHA_MAX, CHECK_EVERY, TILE, TRANSMITTANCE_MIN, touched_rows

__all__ = ["composite_tiles_before"]

ZERO = np.float32(0.0)
ONE = np.float32(1.0)
HALF = np.float32(0.5)

Floats = npt.NDArray[np.float32]


@njit(nogil=True, cache=True)
def _blend_before(
    record: Floats,
    rows: tuple[int, int],
    left: int,
    top: int,
    limits: Floats,
    light: Floats,
    image: Floats,
) -> None:
    """Add one ellipse to the pixels of the tile whose limit lies behind it."""
    columns = min(TILE, image.shape[1] - left)
    for row in range(rows[0], rows[1]):
        y = top + row
        dy = np.float32(y) + HALF - record[1]
        for column in range(columns):
            x = left + column
            rest = light[row, column]
            if rest == ZERO or record[2] >= limits[y, x]:
                continue
            dx = np.float32(x) + HALF - record[0]
            sigma = HALF * (record[3] * dx * dx + record[5] * dy * dy) + record[4] * dx * dy
            if sigma < ZERO or sigma > record[7]:
                continue
            weight = min(record[6] * np.float32(math.exp(-sigma)), ALPHA_MAX) * rest
            if rest - weight <= TRANSMITTANCE_MIN:
                light[row, column] = ZERO
                continue
            light[row, column] = rest - weight
            for channel in range(3):
                image[y, x, channel] += weight * record[8 + channel]
            image[y, x, 3] += weight


@njit(nogil=True, cache=True)
def _reach(limits: Floats, light: Floats, left: int, top: int) -> np.float32:
    """Greatest limit of the pixels of a tile that still take light; 0 when there is none."""
    farthest = ZERO
    for row in range(min(TILE, limits.shape[0] - top)):
        for column in range(min(TILE, limits.shape[1] - left)):
            if light[row, column] > ZERO:
                farthest = max(farthest, limits[top + row, left + column])
    return farthest


@njit(nogil=True, cache=True)
def composite_tiles_before(
    first: int,
    last: int,
    packed: Floats,  # [V, 16], nearest first
    starts: npt.NDArray[np.int64],  # [tiles + 1]
    hits: npt.NDArray[np.int32],  # [H, 2]
    columns: int,
    limits: Floats,  # [H, W], view depth; infinite where nothing hides anything
    image: Floats,  # [H, W, 4], out: premultiplied colour and alpha
) -> None:
    """Composite tiles `first..last` over black."""
    for tile in range(first, last):
        left, top = tile % columns * TILE, tile // columns * TILE
        image[top : top + TILE, left : left + TILE] = ZERO
        light = np.full((TILE, TILE), ONE)
        lit = (0, min(TILE, image.shape[0] - top))
        reach = _reach(limits, light, left, top)
        for h in range(starts[tile], starts[tile + 1]):
            if (h - starts[tile]) % CHECK_EVERY == CHECK_EVERY - 1:
                reach = _reach(limits, light, left, top)
            record = packed[hits[h, 0]]
            if record[2] >= reach:
                break
            rows = touched_rows(record, top, lit)
            _blend_before(record, rows, left, top, limits, light, image)
