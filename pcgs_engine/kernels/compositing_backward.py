"""Gradients of compositing: front to back again, from the images to one row of sums per hit.

In: what compositing read, the images it made and their gradients. Out: `[H, 10] float32`, per hit
the sums over the tile's pixels of g, g dx, g dy, g dx², g dx dy, g dy² (g = dL/d ln(alpha) where
alpha is not clamped, dx and dy from the mean), weight x dL/dcolour (3) and weight x dL/ddepth.

With R = the part of the loss's linear form still to come, dL/dalpha = T D - R / (1 - alpha) where
D = <dL/dpixel, colour>; R starts as <dL/dpixel, pixel> - dL/dalpha T_end and loses weight x D at
every ellipse (docs/design.md). So only the finished images need be kept, and no T is divided.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from .compositing import (
    ALPHA_MAX,
    CHECK_EVERY,
    E1,
    E2,
    E3,
    E4,
    E5,
    E6,
    EIGHTH,
    HALF,
    ONE,
    PIXELS,
    SIXTEENTH,
    TILE,
    TRANSMITTANCE_MIN,
    ZERO,
    lit_rows,
    start_block,
    touched_rows,
)

__all__ = ["SUMS", "composite_tiles_backward"]

SUMS = 10
"""Float32 numbers kept per hit."""

Floats = npt.NDArray[np.float32]


@njit(
    nogil=True,
    cache=True,
    error_model="numpy",  # no branch for division by zero, which would stop vectorization
    fastmath={"contract", "reassoc", "nsz", "arcp"},
)
def _blend_backward(
    block: Floats, rows: int, record: Floats, mx: float, my: float, depth: float | None
) -> None:
    """Column sums of one ellipse's gradients over the first `rows` rows of the block.

    Planes: y, transmittance, R, dL/dred, dL/dgreen, dL/dblue, dL/ddepth, then the sums of g, g dy,
    g dy², weight x the four pixel gradients. Sums run down the rows, each row writing to the next:
    at constant distances, so that they need no overlap check, and 16 side by side.
    """
    qa, qb, qc = record[3] * SIXTEENTH, record[4] * EIGHTH, record[5] * SIXTEENTH
    q_max = record[7] * EIGHTH
    opacity = record[6]
    red, green, blue = record[8], record[9], record[10]
    for p in range(TILE):
        block[p + 1792] = block[p + 2064] = block[p + 2336] = ZERO
        block[p + 2608] = block[p + 2880] = block[p + 3152] = block[p + 3424] = ZERO
    for row in range(rows):
        line = block[row * TILE :]
        dy = line[0] - my
        q_x, q_0 = qb * dy, qc * dy * dy
        dy_dy = dy * dy
        for p in range(TILE):
            dx = (np.float32(p) + HALF) - mx
            q = dx * (qa * dx + q_x) + q_0
            e = ONE + q * (E1 + q * (E2 + q * (E3 + q * (E4 + q * (E5 + q * E6)))))
            e = e * e
            e = e * e
            raw = opacity * (e * e)
            hit = (q >= ZERO) & (q <= q_max)
            alpha = min(raw, ALPHA_MAX)
            alpha = alpha if hit else ZERO
            light = line[p + 256]
            weight = alpha * light
            rest = light - weight
            keep = rest > TRANSMITTANCE_MIN
            weight = weight if keep else ZERO
            line[p + 256] = rest if keep else ZERO
            v_red, v_green, v_blue = line[p + 768], line[p + 1024], line[p + 1280]
            brightness = v_red * red + v_green * green + v_blue * blue
            if depth is not None:  # decided at compile time
                brightness += line[p + 1536] * depth
                line[p + 3440] = line[p + 3424] + weight * line[p + 1536]
            rest_form = line[p + 512] - weight * brightness
            line[p + 512] = rest_form
            g = raw * (light * brightness - rest_form / (ONE - alpha))
            g = g if hit & keep & (raw <= ALPHA_MAX) else ZERO
            line[p + 1808] = line[p + 1792] + g
            line[p + 2080] = line[p + 2064] + g * dy
            line[p + 2352] = line[p + 2336] + g * dy_dy
            line[p + 2624] = line[p + 2608] + weight * v_red
            line[p + 2896] = line[p + 2880] + weight * v_green
            line[p + 3168] = line[p + 3152] + weight * v_blue


@njit(nogil=True, cache=True, fastmath={"contract", "reassoc", "nsz"})
def _add_columns(columns: Floats, mx: float, sums: Floats) -> None:
    """Sum the 16 columns that `_blend_backward` left (view from plane 7 on) to a row of sums."""
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = s8 = s9 = ZERO
    for p in range(TILE):
        dx = (np.float32(p) + HALF) - mx
        g, gy = columns[p], columns[p + 272]
        gx = g * dx
        s0 += g
        s1 += gx
        s2 += gy
        s3 += gx * dx
        s4 += gy * dx
        s5 += columns[p + 544]
        s6 += columns[p + 816]
        s7 += columns[p + 1088]
        s8 += columns[p + 1360]
        s9 += columns[p + 1632]
    sums[0], sums[1], sums[2], sums[3], sums[4] = s0, s1, s2, s3, s4
    sums[5], sums[6], sums[7], sums[8], sums[9] = s5, s6, s7, s8, s9


@njit(nogil=True, cache=True)
def _load_gradients(
    block: Floats,
    left: int,
    top: int,
    image: Floats,
    alphas: Floats,
    depths: Floats | None,
    v_image: Floats,
    v_alphas: Floats,
    v_depths: Floats | None,
) -> None:
    """Fill R and the gradient planes of a started block."""
    for y in range(top, min(top + TILE, image.shape[0])):
        for x in range(left, min(left + TILE, image.shape[1])):
            p = (y - top) * TILE + x - left
            form = -v_alphas[y, x] * (ONE - alphas[y, x])
            for c in range(3):
                v = v_image[y, x, c]
                block[p + (3 + c) * PIXELS] = v
                form += v * image[y, x, c]
            if v_depths is not None and depths is not None:
                block[p + 6 * PIXELS] = v_depths[y, x]
                form += v_depths[y, x] * depths[y, x]
            block[p + 2 * PIXELS] = form


@njit(nogil=True, cache=True)
def composite_tiles_backward(
    first: int,
    last: int,
    packed: Floats,  # [V, 16]
    starts: npt.NDArray[np.int64],  # [tiles + 1]
    hits: npt.NDArray[np.int32],  # [H, 2]
    columns: int,
    image: Floats,  # [H, W, 3]
    alphas: Floats,  # [H, W]
    depths: Floats | None,  # [H, W], sum of weight x depth
    v_image: Floats,  # [H, W, 3]
    v_alphas: Floats,  # [H, W]
    v_depths: Floats | None,  # [H, W], gradient of the sum
    sums: Floats,  # [H, 10], out
) -> None:
    """Gradient sums of every hit of tiles `first..last`."""
    block = np.empty(7 * PIXELS + 7 * (PIXELS + TILE), np.float32)
    for tile in range(first, last):
        left, top = tile % columns * TILE, tile // columns * TILE
        start_block(block, image.shape[1] - left, image.shape[0] - top)
        _load_gradients(block, left, top, image, alphas, depths, v_image, v_alphas, v_depths)
        lit = lit_rows(block)
        for h in range(starts[tile], starts[tile + 1]):
            if (h - starts[tile]) % CHECK_EVERY == CHECK_EVERY - 1 and lit[0] < lit[1]:
                lit = lit_rows(block)
            record = packed[hits[h, 0]]
            row = sums[hits[h, 1]]
            low, high = touched_rows(record, top, lit)
            if high <= low:
                row[:] = ZERO
                continue
            mx, my = record[0] - np.float32(left), record[1] - np.float32(top)
            depth = record[2] if v_depths is not None else None
            _blend_backward(block[low * TILE :], high - low, record, mx, my, depth)
            _add_columns(block[high * TILE + 7 * PIXELS :], mx, row)
