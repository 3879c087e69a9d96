"""Coding order of anchors: lattice positions in, permutation out."""

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError
from .morton import MAX_DEPTH, morton_encode

__all__ = ["coding_order"]


def coding_order(positions: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Return the stable permutation that sorts `[N, 3]` lattice positions by Morton code.

    Raises:
        ConfigError: the extent is above 2**21 cells on an axis.
    """
    if len(positions) == 0:
        return np.zeros(0, dtype=np.int64)
    cells = positions.astype(np.int64)
    cells -= cells.min(axis=0)
    if int(cells.max()) >= 1 << MAX_DEPTH:
        raise ConfigError(
            f"anchors span {int(cells.max()) + 1} cells, wanted at most {1 << MAX_DEPTH}; "
            "use a larger voxel_size"
        )
    return np.argsort(morton_encode(cells), kind="stable").astype(np.int64)
