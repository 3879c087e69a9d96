"""A trained scene made larger for timings: each anchor repeated on a lattice four times finer.

The grid box grows with the lattice, so that copies see the hash features of the place they came
from: symbols stay as well predicted as in the scene. The points inside a voxel are random.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pcgs_engine.entropy.coded_model import CodedAnchors, CodedModel
from pcgs_engine.entropy.positions import coding_order

__all__ = ["tiled"]

FACTOR, BITS = 4, 2
"""New lattice points on an axis of an old voxel."""
CELLS = FACTOR**3
STRIDE = 21
"""Copies of an anchor lie this many points further, so that they are distinct."""


def tiled(coded: CodedModel, anchors: int) -> CodedModel:
    """Return the model with `anchors` anchors at level 1, later levels grown alike.

    Raises:
        ValueError: that is less than it has, or more than 64 times as many.
    """
    first = coded.anchors.first_level
    share = anchors / int((first == 1).sum())
    if not 1 <= share <= CELLS:
        raise ValueError(f"tiling by {share:.2f}, wanted 1..{CELLS}")
    rows = np.concatenate(
        [_repeated(np.flatnonzero(first == level), share) for level in range(1, first.max() + 1)]
    )
    lattice = _subdivided(coded.anchors.positions, rows)
    levels = [np.flatnonzero(first[rows] == level) for level in range(1, first.max() + 1)]
    order = np.concatenate([own[coding_order(lattice[own])] for own in levels])
    source, grid = rows[order], coded.hash_grid
    old, config = coded.anchors, coded.config
    return replace(
        coded,
        # The step in world units stays.
        config=replace(config, scaling_step=FACTOR * config.scaling_step),
        voxel_size=coded.voxel_size / FACTOR,
        hash_grid=replace(grid, box_low=FACTOR * grid.box_low, box_size=FACTOR * grid.box_size),
        anchors=CodedAnchors(
            first_level=old.first_level[source],
            positions=np.ascontiguousarray(lattice[order]),
            mask_level=old.mask_level[source],
            features=old.features[source],
            scaling=old.scaling[source],
            offsets=old.offsets[source],
        ),
        ranking=replace(coded.ranking, rank=coded.ranking.rank[source]),
    )


def _repeated(rows: npt.NDArray[np.int64], share: float) -> npt.NDArray[np.int64]:
    """Repeat rows in turn until there are `share` times as many."""
    return np.resize(rows, round(len(rows) * share))


def _subdivided(
    positions: npt.NDArray[np.int32], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.int32]:
    """Give each copy of an anchor a point of its own among those in its voxel."""
    seen = np.zeros(len(positions), dtype=np.int64)
    copy = np.empty(len(rows), dtype=np.int64)
    order = np.argsort(rows, kind="stable")
    starts = np.searchsorted(rows[order], np.arange(len(seen)))
    copy[order] = np.arange(len(rows)) - starts[rows[order]]
    begin = np.random.default_rng(0).integers(0, CELLS, len(positions))
    cell = (begin[rows] + STRIDE * copy) % CELLS
    corner = np.stack([cell >> BITS * axis & (FACTOR - 1) for axis in range(3)], axis=1)
    return (FACTOR * positions[rows] + corner).astype(np.int32)
