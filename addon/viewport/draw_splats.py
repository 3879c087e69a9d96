"""draw_splats: splat objects and a view in, a finished picture as numpy arrays out.

For renders and tests; waits for everything. The viewport uses the same `Painter` without waiting.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import gpu
import numpy as np
import numpy.typing as npt

from ..objects import SplatInstance
from .depth_order import OrderRequest, depth_order, depth_rows
from .painter import Painter, order_rows
from .target import Target
from .view_parameters import ViewParameters

__all__ = ["SplatImage", "draw_splats", "order_request"]

DEPTH_EPS = 1e-10
"""Least alpha the expected depth is divided by (gsplat)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplatImage:
    """A picture, bottom row first as in Blender's images."""

    color: npt.NDArray[np.float32]
    """`[H, W, 4]`, premultiplied; colours as trained: sRGB values."""
    depth: npt.NDArray[np.float32] | None
    """`[H, W]`: expected distance along the view; infinite where there is no splat."""


def draw_splats(
    instances: Sequence[SplatInstance],
    view: ViewParameters,
    width: int,
    height: int,
    *,
    with_depth: bool = True,
    scene_depth: npt.NDArray[np.floating] | None = None,  # [H, W]
    painter: Painter | None = None,
) -> SplatImage:
    """Draw splats; needs a GPU context.

    Args:
        instances: what to draw, from `visible_instances`.
        view: from where.
        width: pixels.
        height: pixels.
        with_depth: also return the expected depth (a second, cheaper drawing).
        scene_depth: distances along the view of what else is there, bottom row first: splats
            behind it are left out, one by one, so meshes may stand in the middle of a cloud.
        painter: keeps the splats on the GPU for the next picture; freed by the caller, who stays
            in the same GPU context. None: a passing one.

    Raises:
        UploadError: the GPU has no room; draw lower levels.
    """
    used = painter or Painter()
    try:
        target = Target(width, height)
        if scene_depth is not None:
            target.set_depth(_depth_buffer(scene_depth, view))
        used.project(instances, view, width, height)
        order = depth_order(order_request(instances, view, exact=True))
        used.set_order(order_rows(order), len(order))
        used.draw(target)
        depth = _read_depth(used, target, view, scene_depth) if with_depth else None
        return SplatImage(color=target.read(), depth=depth)
    finally:
        if painter is None:
            used.free()


def order_request(
    instances: Sequence[SplatInstance], view: ViewParameters, *, exact: bool = False
) -> OrderRequest:
    """Return what to sort for a view."""
    return OrderRequest(
        means=tuple(item.cloud.means for item in instances),
        rows=depth_rows(view.view_matrix, [item.matrix_world for item in instances]),
        is_ortho=view.is_ortho,
        exact=exact,
    )


def _depth_buffer(scene_depth: npt.NDArray[np.floating], view: ViewParameters) -> gpu.types.Buffer:
    window = np.ascontiguousarray(view.window_depth(scene_depth)).reshape(-1)
    return gpu.types.Buffer("FLOAT", window.size, window)


def _read_depth(
    painter: Painter,
    target: Target,
    view: ViewParameters,
    scene_depth: npt.NDArray[np.floating] | None,
) -> npt.NDArray[np.float32]:
    p = view.projection_matrix
    terms = (-p[2, 2] if view.is_ortho else p[2, 2], p[2, 3], 0.0, float(view.is_ortho))
    # Weighted depths need float32: half floats end at 65,504 and have three digits.
    sums_target = Target(target.width, target.height, "RGBA32F")
    if scene_depth is not None:
        sums_target.set_depth(_depth_buffer(scene_depth, view))
    painter.draw(sums_target, depth_terms=terms)
    sums = sums_target.read()
    alpha = sums[..., 3]
    expected = sums[..., 0] / np.maximum(alpha, np.float32(DEPTH_EPS))
    return np.where(alpha > 0.0, expected, np.float32(np.inf))
