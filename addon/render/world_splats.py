"""Placed splat objects to one cloud in world space with final colours, for one view.

In: `SplatInstance`s and a view. Out: a `SplatCloud` of degree 0 that a rasterizer without objects
draws exactly as the viewport draws them: each splat's covariance goes through its object's matrix,
its colour is that seen along the direction in the object's space. No bpy in this file.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pcgs_engine.splats import SplatCloud
from pcgs_engine.splats.spherical_harmonics import colors

from ..objects import SplatInstance
from ..viewport.view_parameters import ViewParameters

__all__ = ["matrix_to_quats", "quats_to_matrix", "world_splats"]

Floats = npt.NDArray[np.float32]

SH_0 = np.float32(0.28209479177387814)
"""Value of the constant harmonic."""
NEAR_PLANE = 0.2
"""Nearest depth drawn in perspective, in units of the object's space (3DGS), as the viewport's."""
LEAST_SCALE = np.float32(1e-12)


def world_splats(
    instances: Sequence[SplatInstance], view: ViewParameters, clip: tuple[float, float]
) -> SplatCloud:
    """Return what a view shows of the instances; splats beyond the clip planes are left out."""
    parts = [_world_part(item, view, clip) for item in instances]
    return SplatCloud(
        means=_joined([part.means for part in parts], 3),
        scales=_joined([part.scales for part in parts], 3),
        quats=_joined([part.quats for part in parts], 4),
        opacities=_joined([part.opacities[:, None] for part in parts], 1)[:, 0],
        sh=_joined([part.sh[:, 0] for part in parts], 3)[:, None],
    )


def _world_part(item: SplatInstance, view: ViewParameters, clip: tuple[float, float]) -> SplatCloud:
    linear, origin = item.matrix_world[:3, :3], item.matrix_world[:3, 3]
    means = item.cloud.means @ linear.T + origin
    depths = -(means @ view.view_matrix[2, :3] + view.view_matrix[2, 3])
    near = clip[0]
    if not view.is_ortho:
        near = max(near, NEAR_PLANE * float(np.cbrt(abs(np.linalg.det(linear)))))
    kept = (depths >= near) & (depths <= clip[1])
    axes = linear @ quats_to_matrix(item.cloud.quats[kept]) * item.cloud.scales[kept][:, None, :]
    rotations, scales, _ = np.linalg.svd(axes)
    shown = colors(item.cloud.sh[kept], _directions(item, view, kept))
    return SplatCloud(
        means=means[kept].astype(np.float32),
        scales=np.maximum(scales.astype(np.float32), LEAST_SCALE),
        quats=matrix_to_quats(rotations),
        opacities=item.cloud.opacities[kept],
        sh=((shown - np.float32(0.5)) / SH_0)[:, None],
    )


def _directions(item: SplatInstance, view: ViewParameters, kept: npt.NDArray[np.bool_]) -> Floats:
    """Unit directions from the eye to the splats, in the object's space, `[M, 3]`."""
    # A flattened object (a scale of zero) has no inverse; any direction will do for it.
    inverse = np.linalg.pinv(item.matrix_world[:3, :3])
    if view.is_ortho:
        rays = np.broadcast_to(inverse @ view.direction, (int(kept.sum()), 3))
    else:
        rays = item.cloud.means[kept] - inverse @ (view.eye - item.matrix_world[:3, 3])
    lengths = np.linalg.norm(rays, axis=1, keepdims=True)
    return np.asarray(rays / np.maximum(lengths, 1e-12), dtype=np.float32)


def quats_to_matrix(
    quats: Floats,  # [M, 4]
) -> npt.NDArray[np.float64]:  # [M, 3, 3]
    """Rotation matrices of quaternions w x y z of any length; zero means no rotation."""
    unit = quats.astype(np.float64)
    lengths = np.linalg.norm(unit, axis=1, keepdims=True)
    unit = np.where(lengths > 0.0, unit / np.maximum(lengths, 1e-30), [1.0, 0.0, 0.0, 0.0])
    w, x, y, z = unit.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def matrix_to_quats(
    matrices: npt.NDArray[np.float64],  # [M, 3, 3]
) -> Floats:  # [M, 4]
    """Unit quaternions w x y z of orthogonal matrices; a mirrored one loses its mirror.

    An ellipsoid is its own mirror image, so negating an axis changes nothing.
    """
    matrices = matrices * np.sign(np.linalg.det(matrices))[:, None, None]
    m00, m11, m22 = (matrices[:, i, i] for i in range(3))
    squares = np.stack(
        [1 + m00 + m11 + m22, 1 + m00 - m11 - m22, 1 - m00 + m11 - m22, 1 - m00 - m11 + m22],
        axis=1,
    )
    # Each component could be the root that divides; the largest one loses no digits.
    largest = squares.argmax(axis=1)
    plus = matrices + matrices.transpose(0, 2, 1)
    minus = matrices - matrices.transpose(0, 2, 1)
    candidates = np.stack(
        [
            np.stack([squares[:, 0], minus[:, 2, 1], minus[:, 0, 2], minus[:, 1, 0]], axis=1),
            np.stack([minus[:, 2, 1], squares[:, 1], plus[:, 1, 0], plus[:, 0, 2]], axis=1),
            np.stack([minus[:, 0, 2], plus[:, 1, 0], squares[:, 2], plus[:, 2, 1]], axis=1),
            np.stack([minus[:, 1, 0], plus[:, 0, 2], plus[:, 2, 1], squares[:, 3]], axis=1),
        ],
        axis=1,
    )
    quats = candidates[np.arange(len(matrices)), largest]
    return (quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32)


def _joined(parts: Sequence[npt.NDArray[np.floating]], width: int) -> Floats:
    empty = np.zeros((0, width), np.float32)
    return np.concatenate([empty, *parts]).astype(np.float32, copy=False)
