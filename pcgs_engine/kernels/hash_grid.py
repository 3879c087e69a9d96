"""Hash grid on the CPU: positions to table rows and weights, weighted sums, and their gradient.

In: positions [n, 3], one row of numbers per grid level (`LEVEL_COLUMNS`), the table's signs.
Out: a lookup (rows and weights of every corner), features [n, G], gradient of the table [E, f].
All kernels release the interpreter lock and write only to what their piece owns: `locate` and
`gather` own positions, `scatter` owns levels, so results do not depend on the number of threads.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["LEVEL_COLUMNS", "gather", "locate", "scatter"]

LEVEL_COLUMNS = 7
"""Of one level: dimension, three axes (2-D levels repeat the first), resolution, rows, first row.
"""

FloatArray = npt.NDArray[np.float32]
RowArray = npt.NDArray[np.int32]
IndexArray = npt.NDArray[np.int64]

_PRIME_Y = 2654435761  # facts §2.1
_PRIME_Z = 805459861
_UINT32 = 0xFFFFFFFF
_ZERO = np.float32(0.0)
_HALF = np.float32(0.5)
_ONE = np.float32(1.0)


@njit(nogil=True, cache=True, inline="always")
def _row_in_level(x: int, y: int, z: int, resolution: int, entries: int, dimension: int) -> int:
    """Return the row of a vertex inside its level; `z` is 0 on 2-D levels."""
    vertices = resolution * resolution
    if dimension == 3:
        vertices *= resolution
    if vertices <= entries:
        return x + resolution * (y + resolution * z)
    hashed = x ^ ((y * _PRIME_Y) & _UINT32) ^ ((z * _PRIME_Z) & _UINT32)
    return hashed & (entries - 1)  # a level that hashes has 2**k rows, so this is the modulus


@njit(nogil=True, cache=True)
def _locate_level(
    unit: FloatArray,  # [3]
    level: IndexArray,  # [LEVEL_COLUMNS]
    rows: RowArray,  # [corners]
    weights: FloatArray,  # [corners]
    cell: IndexArray,  # [3], scratch
    fraction: FloatArray,  # [3], scratch
) -> None:
    """Fill rows and weights of one level's corners for one position inside the box."""
    dimension, resolution, entries, first_row = level[0], level[4], level[5], level[6]
    cell[2] = 0
    for axis in range(dimension):
        place = unit[level[1 + axis]] * np.float32(resolution - 2) + _HALF
        cell[axis] = np.int64(np.floor(place))
        fraction[axis] = place - np.float32(cell[axis])
    total = _ZERO
    for corner in range(1 << dimension):
        weight, kept = _ONE, True
        x, y, z = cell[0] + (corner & 1), cell[1] + ((corner >> 1) & 1), cell[2] + (corner >> 2)
        for axis in range(dimension):
            high = (corner >> axis) & 1
            weight *= fraction[axis] if high else _ONE - fraction[axis]
            index = cell[axis] + high
            kept &= index > 0
            kept &= index < resolution - 1
        if kept:
            rows[corner] = first_row + _row_in_level(x, y, z, resolution, entries, dimension)
            weights[corner] = weight
            total += weight
        else:
            rows[corner] = first_row
            weights[corner] = _ZERO
    if total > _ZERO:
        for corner in range(1 << dimension):
            weights[corner] /= total


@njit(nogil=True, cache=True)
def locate(
    positions: FloatArray,  # [n, 3]
    box_min: FloatArray,  # [3]
    box_max: FloatArray,  # [3]
    levels: IndexArray,  # [L, LEVEL_COLUMNS]
    rows: RowArray,  # [n, C]
    weights: FloatArray,  # [n, C]
) -> None:
    """Fill `rows` and `weights`, zeros for positions outside the box or not finite.

    Source: docs/design.md, hash grid; facts §2.1.
    """
    unit, fraction, cell = np.empty(3, np.float32), np.empty(3, np.float32), np.empty(3, np.int64)
    for p in range(positions.shape[0]):
        inside = True
        for axis in range(3):
            unit[axis] = (positions[p, axis] - box_min[axis]) / (box_max[axis] - box_min[axis])
            # written so that NaN counts as outside
            inside &= (unit[axis] >= _ZERO) and (unit[axis] <= _ONE)
        column = 0
        for level in range(levels.shape[0]):
            end = column + (1 << levels[level, 0])
            row, weight = rows[p, column:end], weights[p, column:end]
            if inside:
                _locate_level(unit, levels[level], row, weight, cell, fraction)
            else:
                row[:] = levels[level, 6]  # never a row of another level: scatter owns levels
                weight[:] = _ZERO
            column = end


@njit(nogil=True, cache=True)
def gather(
    signs: npt.NDArray[np.int8],  # [E, f]
    rows: RowArray,  # [N, C]
    weights: FloatArray,  # [N, C]
    picks: IndexArray,  # [n], indices into N
    corners: IndexArray,  # [L]
    features: FloatArray,  # [n, L f]
) -> None:
    """Write the weighted sums of signs, level after level."""
    width = signs.shape[1]
    for i in range(picks.shape[0]):
        row, weight, feature = rows[picks[i]], weights[picks[i]], features[i]
        column, out = np.uint64(0), np.uint64(0)
        for level in range(corners.shape[0]):
            end = column + np.uint64(corners[level])
            if width == 4:
                _gather_four(signs, row, weight, column, end, feature[out : out + np.uint64(4)])
            else:
                _gather_any(signs, row, weight, column, end, feature[out : out + np.uint64(width)])
            column, out = end, out + np.uint64(width)


@njit(nogil=True, cache=True, inline="always")
def _gather_four(
    signs: npt.NDArray[np.int8],
    row: RowArray,
    weight: FloatArray,
    start: int,
    end: int,
    out: FloatArray,
) -> None:
    """Sum one level of one position; the usual width, kept in registers."""
    a, b, c, d = _ZERO, _ZERO, _ZERO, _ZERO
    for k in range(start, end):
        sign, w = signs[np.uint64(row[k])], weight[k]
        a += w * np.float32(sign[0])
        b += w * np.float32(sign[1])
        c += w * np.float32(sign[2])
        d += w * np.float32(sign[3])
    out[0], out[1], out[2], out[3] = a, b, c, d


@njit(nogil=True, cache=True, inline="always")
def _gather_any(
    signs: npt.NDArray[np.int8],
    row: RowArray,
    weight: FloatArray,
    start: int,
    end: int,
    out: FloatArray,
) -> None:
    """Sum one level of one position, any width."""
    out[:] = _ZERO
    for k in range(start, end):
        sign, w = signs[np.uint64(row[k])], weight[k]
        for f in range(out.shape[0]):
            out[f] += w * np.float32(sign[f])


@njit(nogil=True, cache=True)
def scatter(
    grad_features: FloatArray,  # [n, L f]
    rows: RowArray,  # [N, C]
    weights: FloatArray,  # [N, C]
    picks: IndexArray,  # [n]
    corners: IndexArray,  # [L]
    first_level: int,
    last_level: int,
    grad_table: FloatArray,  # [E, f], zeros
) -> None:
    """Add the gradient of levels `first_level` to `last_level - 1`, positions in order."""
    width = grad_table.shape[1]
    first_column = corners[:first_level].sum()
    for i in range(picks.shape[0]):
        row, weight = rows[picks[i]], weights[picks[i]]
        column = np.uint64(first_column)
        for level in range(first_level, last_level):
            end = column + np.uint64(corners[level])
            grad = grad_features[i, level * width : (level + 1) * width]
            if width == 4:
                _scatter_four(grad, row, weight, column, end, grad_table)
            else:
                _scatter_any(grad, row, weight, column, end, grad_table)
            column = end


@njit(nogil=True, cache=True, inline="always")
def _scatter_four(
    grad: FloatArray,
    row: RowArray,
    weight: FloatArray,
    start: int,
    end: int,
    grad_table: FloatArray,
) -> None:
    """Add one level of one position; the usual width, kept in registers."""
    a, b, c, d = grad[0], grad[1], grad[2], grad[3]
    for k in range(start, end):
        target, w = np.uint64(row[k]), weight[k]
        grad_table[target, 0] += w * a
        grad_table[target, 1] += w * b
        grad_table[target, 2] += w * c
        grad_table[target, 3] += w * d


@njit(nogil=True, cache=True, inline="always")
def _scatter_any(
    grad: FloatArray,
    row: RowArray,
    weight: FloatArray,
    start: int,
    end: int,
    grad_table: FloatArray,
) -> None:
    """Add one level of one position, any width."""
    for k in range(start, end):
        target, w = grad_table[np.uint64(row[k])], weight[k]
        for f in range(grad.shape[0]):
            target[f] += w * grad[f]
