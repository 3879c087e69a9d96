"""Ranks of anchors and worth of refinements: sensitivities and errors in, a Ranking out.

Anchors are ranked by what refining them once would bring in all; the worth of a block is the
sum over its anchors of sensitivity times the fall of the squared error.
"""

import numpy as np
import numpy.typing as npt

from ..entropy.coded_model import CodedAnchors, Ranking

__all__ = ["RANKS", "rank_anchors"]

Float64Array = npt.NDArray[np.float64]

SHARES = (0.1, 0.2, 0.3, 0.4)
"""Share of the anchors of a level that gets rank 0, 1, ...: measured best of ten ways to cut on
two scenes (docs/experiments.md); more ranks cost more than they bring."""
RANKS = len(SHARES)


def rank_anchors(
    anchors: CodedAnchors,
    values: Float64Array,  # [N, F + 6] unquantized
    steps: Float64Array,  # [N, F + 6] at depth 0
    sensitivity: Float64Array,  # [N, F + 6]
    num_levels: int,
) -> Ranking:
    """Rank the anchors of every level among themselves."""
    finest = np.concatenate([anchors.features, anchors.scaling], axis=1).astype(np.float64)
    errors = _squared_errors(finest, values, steps, num_levels)
    gains = sensitivity * (errors[:-1] - errors[1:])  # [S - 1, N, F + 6]
    first = anchors.first_level.astype(np.int64)
    rank = np.zeros(len(first), dtype=np.uint8)
    for level in range(1, num_levels):
        rows = np.flatnonzero(first == level)
        rank[rows] = _ranked(gains[level - 1, rows].sum(axis=1))
    group = (first - 1) * RANKS + rank
    gain = np.zeros((num_levels * RANKS, values.shape[1], max(num_levels - 1, 0)))
    for depth in range(num_levels - 1):
        np.add.at(gain[:, :, depth], group, gains[depth])
    return Ranking(ranks=RANKS, rank=rank, gain=gain)


def _squared_errors(
    finest: Float64Array, values: Float64Array, steps: Float64Array, num_levels: int
) -> Float64Array:
    """Return `[S, N, channels]`: squared error at every depth."""
    found, symbols = [], finest
    for depth in range(num_levels - 1, -1, -1):
        found.append((symbols * (steps / 3.0**depth) - values) ** 2)
        symbols = np.floor((symbols + 1) / 3)
    return np.stack(found[::-1])


def _ranked(worth: Float64Array) -> npt.NDArray[np.uint8]:
    """Return 0 for the most valuable tenth, then 1 ...; stable, so equal worth stays in order."""
    order = np.argsort(-worth, kind="stable")
    ends = np.rint(np.cumsum(SHARES[:-1]) * len(worth)).astype(np.int64)
    rank = np.empty(len(worth), dtype=np.uint8)
    rank[order] = np.searchsorted(ends, np.arange(len(worth)), side="right")
    return rank
