"""Coding order of anchors: lattice positions in, permutation out."""

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError
from .morton import MAX_DEPTH, morton_encode

__all__ = ["ALIGNMENT", "aligned_corner", "coding_order"]

ALIGNMENT = 16
"""The corner is a multiple of this, so that coarser lattices show in the low bits of a code."""


def aligned_corner(positions: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Return the minimum `[3]` of `[N >= 1, 3]` positions, rounded down to multiples of 16."""
    corner: npt.NDArray[np.int64] = positions.min(axis=0).astype(np.int64)
    return corner // ALIGNMENT * ALIGNMENT


def coding_order(positions: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Return the stable permutation that sorts `[N, 3]` lattice positions by Morton code.

    Raises:
        ConfigError: the extent is above 2**21 cells on an axis.
    """
    if len(positions) == 0:
        return np.zeros(0, dtype=np.int64)
    cells = positions.astype(np.int64) - aligned_corner(positions)
    if int(cells.max()) >= 1 << MAX_DEPTH:
        raise ConfigError(
            f"anchors span {int(cells.max()) + 1} cells, wanted at most {1 << MAX_DEPTH}; "
            "use a larger voxel_size"
        )
    return np.argsort(morton_encode(cells), kind="stable").astype(np.int64)
