"""Tiles to pixels: front-to-back alpha compositing of depth-ordered ellipses.

In: packed records and the tiles' lists of hits. Out: image, alpha and, if wanted, the sum of
weight x depth. A tile keeps its state in one float32 block of planes of 256 pixels; the inner loop
runs over the 16 pixels of a row that an ellipse touches and selects instead of branching, so that
LLVM turns it into straight vector code (docs/design.md). One block, addressed by constant distances
from one view, spares the run-time overlap checks that separate arrays would cost per row.
"""

import math

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = [
    "ALPHA_MAX",
    "CHECK_EVERY",
    "PIXELS",
    "TILE",
    "TRANSMITTANCE_MIN",
    "composite_tiles",
    "lit_rows",
    "start_block",
    "touched_rows",
]

TILE = 16
PIXELS = TILE * TILE
"""Pixels of a tile, and the distance between planes of its block."""
CHECK_EVERY = 16
"""Ellipses between two looks at whether a tile is opaque."""
ALPHA_MAX = np.float32(0.999)
"""Greatest alpha (gsplat)."""
TRANSMITTANCE_MIN = np.float32(1e-4)
"""Compositing stops before the transmittance falls to this (3DGS)."""
ZERO = np.float32(0.0)
ONE = np.float32(1.0)
# exp(-q) on [0, 0.694], relative error 2e-9 (least maximum error, fitted by us); exp(-sigma) is
# its 8th power at q = sigma / 8.
E1 = np.float32(-0.9999998310883672)
E2 = np.float32(0.49999552099270084)
E3 = np.float32(-0.16662638594508372)
E4 = np.float32(0.041497351395476806)
E5 = np.float32(-0.007966228580693773)
E6 = np.float32(0.000982606882869174)
EIGHTH = np.float32(0.125)
SIXTEENTH = np.float32(0.0625)
HALF = np.float32(0.5)

Floats = npt.NDArray[np.float32]


@njit(nogil=True, cache=True, fastmath={"contract", "reassoc", "nsz"})
def _blend(
    block: Floats, rows: int, record: Floats, mx: float, my: float, depth: float | None
) -> None:
    """Blend one ellipse into the first `rows` rows of the block.

    Planes: y, transmittance (0 once stopped), weight sum, red, green, blue, depth.
    """
    qa, qb, qc = record[3] * SIXTEENTH, record[4] * EIGHTH, record[5] * SIXTEENTH
    q_max = record[7] * EIGHTH
    opacity = record[6]
    red, green, blue = record[8], record[9], record[10]
    for row in range(rows):
        line = block[row * TILE :]
        dy = line[0] - my
        q_x, q_0 = qb * dy, qc * dy * dy
        for p in range(TILE):
            dx = (np.float32(p) + HALF) - mx
            q = dx * (qa * dx + q_x) + q_0
            e = ONE + q * (E1 + q * (E2 + q * (E3 + q * (E4 + q * (E5 + q * E6)))))
            e = e * e
            e = e * e
            alpha = min(opacity * (e * e), ALPHA_MAX)
            alpha = alpha if (q >= ZERO) & (q <= q_max) else ZERO
            light = line[p + 256]
            weight = alpha * light
            rest = light - weight
            keep = rest > TRANSMITTANCE_MIN
            weight = weight if keep else ZERO
            line[p + 256] = rest if keep else ZERO
            line[p + 512] += weight
            line[p + 768] += weight * red
            line[p + 1024] += weight * green
            line[p + 1280] += weight * blue
            if depth is not None:  # decided at compile time
                line[p + 1536] += weight * depth


@njit(nogil=True, cache=True)
def touched_rows(record: Floats, top: int, lit: tuple[int, int]) -> tuple[int, int]:
    """First and last + 1 of the `lit` rows of the tile at `top` that the ellipse's height covers.

    The half height is widened a little; pixels outside the ellipse get no weight anyway.
    """
    middle = record[1] - np.float32(top) - HALF
    half = record[15] * np.float32(1.0001) + np.float32(1e-4)
    low = max(middle - half, np.float32(lit[0]))
    high = min(middle + half, np.float32(lit[1] - 1))
    return math.ceil(low), math.floor(high) + 1


@njit(nogil=True, cache=True)
def lit_rows(block: Floats) -> tuple[int, int]:
    """First and last + 1 row with a pixel that still takes light; equal when there is none."""
    first, last = TILE, 0
    for row in range(TILE):
        line = block[PIXELS + row * TILE :]
        most = ZERO
        for p in range(TILE):
            most = max(most, line[p])
        if most > ZERO:
            first = min(first, row)
            last = row + 1
    return min(first, last), last


@njit(nogil=True, cache=True)
def start_block(block: Floats, columns: int, rows: int) -> None:
    """Reset a tile's block: y of pixel centres, and light only where the image has pixels."""
    block[:] = ZERO
    for row in range(TILE):
        for column in range(TILE):
            p = row * TILE + column
            block[p] = np.float32(row) + HALF
            if row < rows and column < columns:
                block[p + PIXELS] = ONE


@njit(nogil=True, cache=True)
def _store_tile(
    block: Floats,
    left: int,
    top: int,
    background: Floats,
    image: Floats,
    alphas: Floats,
    depths: Floats | None,
) -> None:
    """Write a finished block to the images; the background shows through what light is left."""
    for y in range(top, min(top + TILE, image.shape[0])):
        for x in range(left, min(left + TILE, image.shape[1])):
            p = (y - top) * TILE + x - left
            alpha = block[p + 2 * PIXELS]
            alphas[y, x] = alpha
            for c in range(3):
                image[y, x, c] = block[p + (3 + c) * PIXELS] + (ONE - alpha) * background[c]
            if depths is not None:
                depths[y, x] = block[p + 6 * PIXELS]


@njit(nogil=True, cache=True)
def composite_tiles(
    first: int,
    last: int,
    packed: Floats,  # [V, 16]
    starts: npt.NDArray[np.int64],  # [tiles + 1]
    hits: npt.NDArray[np.int32],  # [H, 2]
    columns: int,
    background: Floats,  # [3]
    image: Floats,  # [H, W, 3], out
    alphas: Floats,  # [H, W], out
    depths: Floats | None,  # [H, W], out: sum of weight x depth
) -> None:
    """Composite tiles `first..last`."""
    block = np.empty(7 * PIXELS, np.float32)
    for tile in range(first, last):
        left, top = tile % columns * TILE, tile // columns * TILE
        start_block(block, image.shape[1] - left, image.shape[0] - top)
        lit = lit_rows(block)
        for h in range(starts[tile], starts[tile + 1]):
            if (h - starts[tile]) % CHECK_EVERY == CHECK_EVERY - 1:
                lit = lit_rows(block)
                if lit[0] == lit[1]:
                    break
            record = packed[hits[h, 0]]
            low, high = touched_rows(record, top, lit)
            if high <= low:
                continue
            mx, my = record[0] - np.float32(left), record[1] - np.float32(top)
            depth = record[2] if depths is not None else None
            _blend(block[low * TILE :], high - low, record, mx, my, depth)
        _store_tile(block, left, top, background, image, alphas, depths)
