"""Splats under an affine map: a `SplatCloud` and a matrix in, the moved `SplatCloud` out.

What a host's object transform does to its splats before they are written or drawn elsewhere:

- centres move with the matrix;
- shapes: the covariance becomes L Σ Lᵀ. For rotations with one scale that turns the quaternions;
  otherwise the axes of the new ellipsoid come from a singular value decomposition of L R S;
- colours: a splat seen from direction d looks as it did from L⁻¹d. Rotations, mirrors and one scale
  keep the span of the spherical harmonics, so this is exact; an uneven scale is fitted in the least
  squares sense over all directions.
"""

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError
from .spherical_harmonics import sh_basis
from .splat_cloud import SplatCloud

__all__ = ["sh_transform", "transform_splats"]

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]

_CHUNK = 65_536
"""Splats decomposed at once: bounds memory to about 30 MB."""
_DIRECTIONS = 512
"""Directions that colours are compared in; degree 3 has 16 unknowns."""
_SIMILAR = 1e-6
"""Largest relative deviation from a rotation with one scale: float32 matrices of hosts."""
_SMALLEST_SCALE = float(np.finfo(np.float32).tiny)


def transform_splats(
    cloud: SplatCloud,
    matrix: DoubleArray | FloatArray,  # [4, 4]
) -> SplatCloud:
    """Return the splats as an affine `matrix` moves them (it acts on columns).

    Raises:
        ConfigError: the matrix is not affine, not finite or flattens space.
    """
    full = np.asarray(matrix, dtype=np.float64)
    linear, shift = _parts(full)
    means = cloud.means.astype(np.float64) @ linear.T + shift
    scale = float(np.cbrt(abs(np.linalg.det(linear))))
    if np.allclose(linear @ linear.T, scale**2 * np.eye(3), rtol=0.0, atol=_SIMILAR * scale**2):
        # A mirror shows in centres and colours only: an ellipsoid is its own mirror image at the
        # origin, so its negative, a rotation, does the same to shapes.
        turn = linear / scale * np.sign(np.linalg.det(linear))
        quats = _product(_quaternions(turn[None]), cloud.quats.astype(np.float64))
        scales = cloud.scales.astype(np.float64) * scale
    else:
        quats, scales = _deformed(cloud, linear)
    return SplatCloud(
        means=means.astype(np.float32),
        scales=np.maximum(scales, _SMALLEST_SCALE).astype(np.float32),
        quats=quats.astype(np.float32),
        opacities=cloud.opacities,
        sh=_turned(cloud, linear),
    )


def sh_transform(linear: DoubleArray, degree: int) -> DoubleArray:
    """Return the matrix that takes coefficients before a map to those after it.

    Args:
        linear: invertible map of space, `[3, 3]`.
        degree: of the harmonics, 0..3.

    Returns:
        `[C, C] float64` with C = (degree + 1)²; acts on columns.
    """
    index = np.arange(_DIRECTIONS)
    height = 1.0 - (2.0 * index + 1.0) / _DIRECTIONS
    angle = np.pi * (3.0 - np.sqrt(5.0)) * index
    radius = np.sqrt(1.0 - height**2)
    after = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)
    before = after @ np.linalg.inv(linear).T
    before /= np.linalg.norm(before, axis=1, keepdims=True)
    wanted = sh_basis(before.astype(np.float32), degree).astype(np.float64)
    basis = sh_basis(after.astype(np.float32), degree).astype(np.float64)
    return np.asarray(np.linalg.lstsq(basis, wanted, rcond=None)[0])


def _parts(matrix: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Return the linear part and the shift of a checked matrix."""
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise ConfigError(f"transform has shape {matrix.shape}, wanted 4 x 4 finite numbers")
    if not np.allclose(matrix[3], (0.0, 0.0, 0.0, 1.0), atol=1e-9):
        raise ConfigError(f"last row of the transform is {matrix[3].tolist()}, wanted 0 0 0 1")
    linear = matrix[:3, :3]
    stretch = np.linalg.svd(linear, compute_uv=False)
    if stretch[2] <= 1e-9 * stretch[0] or stretch[0] == 0.0:
        raise ConfigError("the transform flattens space, wanted scales other than 0 on all axes")
    return linear, matrix[:3, 3]


def _deformed(cloud: SplatCloud, linear: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Return quaternions and scales under a map that is no similarity."""
    quats = np.empty((len(cloud), 4))
    scales = np.empty((len(cloud), 3))
    for start in range(0, len(cloud), _CHUNK):
        part = slice(start, start + _CHUNK)
        axes = linear @ _rotations(cloud.quats[part].astype(np.float64))
        axes *= cloud.scales[part, None, :].astype(np.float64)
        left, stretch, _ = np.linalg.svd(axes)
        left[:, :, 2] *= np.sign(np.linalg.det(left))[:, None]
        quats[part] = _quaternions(left)
        scales[part] = stretch
    return quats, scales


def _turned(cloud: SplatCloud, linear: DoubleArray) -> FloatArray:
    """Return the coefficients under the map."""
    if cloud.sh_degree == 0:
        return cloud.sh
    turn = sh_transform(linear, cloud.sh_degree).astype(np.float32)
    return np.asarray(np.einsum("ab,mbc->mac", turn, cloud.sh, optimize=True), dtype=np.float32)


def _rotations(quats: DoubleArray) -> DoubleArray:
    """Return `[M, 3, 3]` for quaternions `[M, 4]` w x y z."""
    w, x, y, z = quats.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def _quaternions(rotations: DoubleArray) -> DoubleArray:
    """Return unit quaternions `[M, 4]` w x y z, w >= 0, of rotation matrices `[M, 3, 3]`.

    Source: Shepperd, "Quaternion from rotation matrix" (1978): the largest component comes from
    the diagonal, so that nothing is divided by a small number.
    """
    diagonal = np.einsum("mii->mi", rotations)
    trace = diagonal.sum(axis=1)
    squares = np.concatenate([trace[:, None], 2.0 * diagonal - trace[:, None]], axis=1) + 1.0
    largest = squares.argmax(axis=1)
    r = rotations
    # 4 q_i q_j for all i, j: row `largest` divided by its length is the quaternion.
    w = [r[:, 2, 1] - r[:, 1, 2], r[:, 0, 2] - r[:, 2, 0], r[:, 1, 0] - r[:, 0, 1]]
    xy, xz, yz = r[:, 1, 0] + r[:, 0, 1], r[:, 0, 2] + r[:, 2, 0], r[:, 2, 1] + r[:, 1, 2]
    products = np.stack(
        [
            np.stack([squares[:, 0], w[0], w[1], w[2]], axis=1),
            np.stack([w[0], squares[:, 1], xy, xz], axis=1),
            np.stack([w[1], xy, squares[:, 2], yz], axis=1),
            np.stack([w[2], xz, yz, squares[:, 3]], axis=1),
        ],
        axis=1,
    )
    quats = products[np.arange(len(r)), largest]
    quats *= np.where(quats[:, :1] < 0.0, -1.0, 1.0)
    return np.asarray(quats / np.linalg.norm(quats, axis=1, keepdims=True))


def _product(left: DoubleArray, right: DoubleArray) -> DoubleArray:
    """Return the Hamilton product of quaternions `[*, 4]`."""
    a, b, c, d = np.moveaxis(left, -1, 0)
    w, x, y, z = np.moveaxis(right, -1, 0)
    return np.stack(
        [
            a * w - b * x - c * y - d * z,
            a * x + b * w + c * z - d * y,
            a * y - b * z + c * w + d * x,
            a * z + b * y - c * x + d * w,
        ],
        axis=-1,
    )
