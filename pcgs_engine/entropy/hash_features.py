"""Hash features of anchors: lattice positions in, `[N, G]` integers of 1/512 out. FORMAT.md §8.1.

Integers only, so every machine finds the same ones; the native library does the same work faster.
The trainable float twin is `model/hash_grid`.
"""

import numpy as np
import numpy.typing as npt

from ..errors import MalformedError
from .backend import EntropyBackend, best_backend
from .hash_levels import GridLevel, grid_entries, grid_levels
from .native_hash_grid import hash_features_native
from .weights import BOX_UNITS, HashGridWeights

__all__ = ["HASH_UNITS", "GridLevel", "check_grid", "grid_entries", "grid_levels", "hash_features"]

Int16Array = npt.NDArray[np.int16]
Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]

HASH_UNITS = 512
"""Features are integers of 1/this, -512..512."""
PRIMES = (1, 2654435761, 805459861)
"""Multipliers of the spatial hash. Source: facts §2.1."""
CELL_BITS = 8
"""Places between vertices are integers of 1/256."""
BATCH = 8192
"""Positions evaluated at once: bounds memory, does not change results."""
LARGEST_BOX, LARGEST_CORNER = 1 << 32, 1 << 40
"""Bounds of the box in 1/256 cells; products stay below 2**57."""
FIELD_BITS = 32
"""Two features share an integer; sums of weights are at most 2**24."""


def check_grid(grid: HashGridWeights) -> None:
    """Check what `hash_features` relies on.

    Raises:
        MalformedError: the box is larger than 2**32 units, or the signs do not fill the grid.
    """
    if not ((grid.box_size >= 0) & (grid.box_size <= LARGEST_BOX)).all():
        raise MalformedError(
            f"hash grid box has size {grid.box_size.tolist()}, wanted 0..{LARGEST_BOX}"
        )
    if int(np.abs(grid.box_low).max()) > LARGEST_CORNER:
        raise MalformedError(
            f"hash grid box begins at {grid.box_low.tolist()}, wanted at most {LARGEST_CORNER}"
        )
    wanted = (grid_entries(grid.config), grid.config.features_per_level)
    if grid.signs.shape != wanted:
        raise MalformedError(f"hash grid has {grid.signs.shape} signs, wanted {wanted}")


def hash_features(
    grid: HashGridWeights,
    lattice: Int32Array,  # [N, 3]
    backend: EntropyBackend | None = None,
) -> Int16Array:
    """Evaluate the grid.

    Args:
        grid: signs and box.
        lattice: `[N, 3] int32` lattice coordinates.
        backend: who computes; by default the fastest here. All give the same integers.

    Returns:
        `[N, G] int16` of 1/512, levels concatenated; zeros outside the box.

    Raises:
        MalformedError: see `check_grid`.
    """
    check_grid(grid)
    levels = grid_levels(grid.config)
    if (backend or best_backend()) is EntropyBackend.NATIVE:
        return hash_features_native(grid, levels, lattice)
    width = grid.config.features_per_level
    packed = _packed_signs(grid.signs)
    result = np.zeros((len(lattice), width * len(levels)), dtype=np.int16)
    for begin in range(0, len(lattice), BATCH):
        units = lattice[begin : begin + BATCH].T.astype(np.int64) * BOX_UNITS
        units -= grid.box_low[:, None]
        inside = ((units >= 0) & (units <= grid.box_size[:, None])).all(axis=0)
        rows = begin + np.flatnonzero(inside)
        units = np.ascontiguousarray(units[:, inside])
        for i, level in enumerate(levels):
            values = _level_features(level, packed, units, grid.box_size)
            result[rows, i * width : (i + 1) * width] = values[:width].T
    return result


def _packed_signs(signs: npt.NDArray[np.int8]) -> Int64Array:
    """Return `[pairs, rows]`: 1 for a positive sign, two features in one integer."""
    positive = (signs > 0).astype(np.int64).T
    if len(positive) % 2:
        positive = np.concatenate([positive, np.zeros_like(positive[:1])])
    return np.ascontiguousarray(positive[0::2] | positive[1::2] << FIELD_BITS)


def _level_features(
    level: GridLevel,
    packed: Int64Array,  # [pairs, rows]
    units: Int64Array,  # [3, n] 1/256 cells from the corner of the box
    box_size: Int64Array,
) -> Int16Array:
    axes = list(level.axes)
    places = units[axes] * ((level.resolution - 2) << CELL_BITS)
    places //= np.maximum(box_size[axes], 1)[:, None]
    places += 1 << (CELL_BITS - 1)
    cells, upper = places >> CELL_BITS, places & ((1 << CELL_BITS) - 1)
    # Vertices on or beyond the border have weight 0.
    sides = []
    for side in (0, 1):
        weight = upper if side else (1 << CELL_BITS) - upper
        vertex = cells + side
        sides.append(weight * ((vertex > 0) & (vertex < level.resolution - 1)))
    keys = [_axis_keys(level, k, cells[k]) for k in range(len(axes))]
    positive = np.zeros((len(packed), units.shape[1]), dtype=np.int64)
    weight_sum = np.zeros(units.shape[1], dtype=np.int64)
    for corner in range(2 ** len(axes)):
        chosen = [corner >> k & 1 for k in range(len(axes))]
        weight = sides[chosen[0]][0] * sides[chosen[1]][1]
        row = _joined(level, keys[0][chosen[0]], keys[1][chosen[1]])
        if len(axes) == 3:
            weight *= sides[chosen[2]][2]
            row = _joined(level, row, keys[2][chosen[2]])
        if not level.dense:
            row &= level.entries - 1  # hashed levels have a power of two of entries
        row += level.start
        weight_sum += weight
        for k, column in enumerate(packed):
            positive[k] += weight * column.take(row, mode="clip")
    return _rounded(positive, weight_sum)


def _axis_keys(level: GridLevel, axis: int, cell: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Return what the lower and the upper vertex of an axis add to the row."""
    factor = level.resolution**axis if level.dense else PRIMES[axis]
    lower = cell * factor
    return lower, lower + factor


def _joined(level: GridLevel, one: Int64Array, other: Int64Array) -> Int64Array:
    return one + other if level.dense else one ^ other


def _rounded(positive: Int64Array, weight_sum: Int64Array) -> Int16Array:
    """Return round(512 (positive - negative) / weight_sum), halves upwards, per feature."""
    low = positive & ((1 << FIELD_BITS) - 1)
    shape = (2 * len(positive), positive.shape[1])
    sums = np.stack([low, positive >> FIELD_BITS], axis=1).reshape(shape)
    total = 2 * sums - weight_sum
    units = (total * (2 * HASH_UNITS) + weight_sum) // np.maximum(2 * weight_sum, 1)
    found: Int16Array = units.astype(np.int16)
    return found
