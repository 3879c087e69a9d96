"""The part of a picture that splats can touch: boxes and a view in, a rectangle out. Numpy only."""

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from .view_parameters import ViewParameters

__all__ = ["WHOLE", "Area", "screen_area"]

Area: TypeAlias = tuple[float, float, float, float]
"""Left, bottom, right, top; 0..1."""

WHOLE: Area = (0.0, 0.0, 1.0, 1.0)

MARGIN = 0.02
"""Added on all sides: the low-pass widens splats, and what is drawn of them is approximate."""
DEPTH_RATIO = 0.2
"""Nearest over farthest corner under which that approximation is not trusted: take it all."""

Box: TypeAlias = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float64]]
"""Low corner, high corner, object matrix."""


def screen_area(boxes: Iterable[Box], view: ViewParameters) -> Area:
    """Return the rectangle around the projections of all boxes, inside the picture."""
    left, bottom, right, top = np.inf, np.inf, -np.inf, -np.inf
    for low, high, matrix in boxes:
        points = _projected(low, high, view.view_matrix @ matrix, view)
        if points is None:
            return WHOLE
        left, bottom = np.minimum((left, bottom), points.min(axis=0))
        right, top = np.maximum((right, top), points.max(axis=0))
    if left > right:
        return (0.0, 0.0, 0.0, 0.0)
    corners = np.clip((left - MARGIN, bottom - MARGIN, right + MARGIN, top + MARGIN), 0.0, 1.0)
    return tuple(corners.tolist())


def _projected(
    low: npt.NDArray[np.float32],
    high: npt.NDArray[np.float32],
    model_view: npt.NDArray[np.float64],
    view: ViewParameters,
) -> npt.NDArray[np.float64] | None:
    """Return a box's corners in the picture, `[8, 2]`; None where some are too near to tell."""
    pairs = np.stack([low, high]).astype(np.float64)
    choice = np.array([[i & 1, i >> 1 & 1, i >> 2] for i in range(8)])
    corners = np.ones((8, 4))
    corners[:, :3] = pairs[choice, np.arange(3)]
    seen = corners @ model_view.T
    clip = seen @ view.projection_matrix.T
    if not view.is_ortho:
        depths = -seen[:, 2]
        if depths.min() <= DEPTH_RATIO * depths.max():
            return None
    return 0.5 + 0.5 * clip[:, :2] / clip[:, 3:]
