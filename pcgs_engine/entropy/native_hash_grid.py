"""Hash features by the native library: the same integers as `hash_features`, only faster."""

import ctypes

import numpy as np
import numpy.typing as npt

from ..native import load_native
from ..native.threads import even_ranges, run_ranges, worker_count
from .hash_levels import GridLevel
from .weights import HashGridWeights

__all__ = ["hash_features_native"]

FEWEST_ANCHORS = 2048
"""Anchors for which a thread pays."""


class _GridLevel(ctypes.Structure):
    """`GridLevel` of hash_grid.c."""

    _fields_ = (
        ("axes", ctypes.c_int64 * 3),
        ("dimensions", ctypes.c_int64),
        ("resolution", ctypes.c_int64),
        ("start", ctypes.c_int64),
        ("entries", ctypes.c_int64),
        ("dense", ctypes.c_int64),
    )


class _Grid(ctypes.Structure):
    """`Grid` of hash_grid.c."""

    _fields_ = (
        ("low", ctypes.c_int64 * 3),
        ("size", ctypes.c_int64 * 3),
        ("signs", ctypes.c_void_p),
        ("width", ctypes.c_int64),
        ("count", ctypes.c_int64),
        ("levels", ctypes.POINTER(_GridLevel)),
    )


def hash_features_native(
    grid: HashGridWeights,
    levels: tuple[GridLevel, ...],
    lattice: npt.NDArray[np.int32],  # [N, 3]
) -> npt.NDArray[np.int16]:
    """Return `[N, G]` features of a grid that was checked.

    Raises:
        DeviceError: the library is not there.
    """
    library = load_native()
    signs = np.ascontiguousarray(grid.signs, dtype=np.int8)
    places = np.ascontiguousarray(lattice, dtype=np.int32)
    width = signs.shape[1]
    out = np.empty((len(places), width * len(levels)), dtype=np.int16)
    rows = (_GridLevel * len(levels))(*(_level(level) for level in levels))
    corner, size = ((ctypes.c_int64 * 3)(*box.tolist()) for box in (grid.box_low, grid.box_size))
    bound = _Grid(corner, size, signs.ctypes.data, width, len(levels), rows)
    head, data = ctypes.byref(bound), (places.ctypes.data, out.ctypes.data)
    run_ranges(
        lambda a, b: library.pcgs_hash_features(head, data[0], a, b, data[1]),
        even_ranges(len(places), FEWEST_ANCHORS, worker_count()),
    )
    return out


def _level(level: GridLevel) -> _GridLevel:
    axes = (ctypes.c_int64 * 3)(*level.axes)
    return _GridLevel(
        axes, len(level.axes), level.resolution, level.start, level.entries, level.dense
    )
