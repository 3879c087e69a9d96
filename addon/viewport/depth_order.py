"""Back to front: splat centres and a view in, the order in which to draw out. Numpy only.

All objects of a view share one order, or a far object would paint over a near one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["OrderRequest", "depth_order", "depth_rows", "view_depths"]

Floats = npt.NDArray[np.float32]

KEY_BITS = 16
"""numpy sorts 16-bit integers by radix, ten times faster than anything wider."""
LEAST_DEPTH = 1e-3
"""Splats nearer than this or behind the eye are not drawn, so their order does not matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """What is to be sorted; equal requests have equal orders."""

    means: tuple[Floats, ...]
    """Centres `[M, 3]` of each object, in its own space."""
    rows: tuple[tuple[float, float, float, float], ...]
    """Per object the third row of view times object matrix: minus the depth of a centre."""
    is_ortho: bool
    exact: bool = False
    """Sort by all bits of the depth instead of the leading 16; three times as long."""


def view_depths(request: OrderRequest) -> Floats:
    """Depths along the view of all centres, objects one after the other, `[N] float32`."""
    parts = []
    for means, row in zip(request.means, request.rows, strict=True):
        direction = -np.array(row[:3], dtype=np.float32)
        parts.append(means @ direction - np.float32(row[3]))
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def depth_order(request: OrderRequest) -> npt.NDArray[np.intp]:
    """Return the indices of all splats, farthest first; equal keys keep their order."""
    depths = view_depths(request)
    if not len(depths):
        return np.zeros(0, np.intp)
    keys = _sortable_bits(depths, is_ortho=request.is_ortho)
    keys -= keys.min()
    keys = keys.max() - keys
    if request.exact:
        return _radix_order(keys)
    shift = max(int(keys.max()).bit_length() - KEY_BITS, 0)
    return np.argsort((keys >> shift).astype(np.uint16), kind="stable")


def _sortable_bits(depths: Floats, *, is_ortho: bool) -> npt.NDArray[np.int64]:
    """Integers `[N]` that rise with depth.

    In perspective these are the floats' own bits: nearly logarithmic, so near splats are told
    apart finely and a few far ones do not coarsen the rest.
    """
    depths = np.nan_to_num(depths, nan=0.0, posinf=np.finfo(np.float32).max)
    if is_ortho:
        low, high = float(depths.min()), float(depths.max())
        scale = (2**31 - 1) / max(high - low, 1e-30)
        return ((depths - low) * np.float64(scale)).astype(np.int64)
    return np.maximum(depths, np.float32(LEAST_DEPTH)).view(np.int32).astype(np.int64)


def _radix_order(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    low = np.argsort((keys & 0xFFFF).astype(np.uint16), kind="stable")
    high = (keys >> KEY_BITS).astype(np.uint16)[low]
    return low[np.argsort(high, kind="stable")]


def depth_rows(
    view_matrix: npt.NDArray[np.float64],  # [4, 4]
    object_matrices: Sequence[npt.NDArray[np.float64]],  # [4, 4] each
) -> tuple[tuple[float, float, float, float], ...]:
    """Return the rows of an `OrderRequest`."""
    return tuple(tuple((view_matrix @ matrix)[2].tolist()) for matrix in object_matrices)
