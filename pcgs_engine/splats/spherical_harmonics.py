"""Real spherical harmonics in the order and with the signs of 3DGS (docs/conventions.md).

In: unit directions from camera centre to splat. Out: basis values, colours, or coefficients fitted
to observed colours.
"""

import numpy as np
import numpy.typing as npt

__all__ = ["SH_DEGREE_MAX", "colors", "fit", "num_coefficients", "sh_basis"]

FloatArray = npt.NDArray[np.float32]

SH_DEGREE_MAX = 3

# Normalization constants of the real harmonics, degree by degree. Source: Sloan, "Stupid Spherical
# Harmonics Tricks" (2008), appendix A2, with the signs that 3DGS files use.
_SH0 = 0.28209479177387814
_SH1 = 0.4886025119029199
_SH2 = (1.0925484305920792, 0.31539156525252005, 0.5462742152960396)
_SH3 = (0.5900435899266435, 2.890611442640554, 0.4570457994644658, 0.3731763325901154)
_SH3_MIDDLE = 1.445305721320277

# Ridge per degree, relative to the total weight: higher degrees must be earned by the data.
_RIDGE = (1e-6, 1e-3, 2e-3, 5e-3)


def num_coefficients(degree: int) -> int:
    """Return `(degree + 1)²`, the coefficients of one colour channel."""
    return (degree + 1) ** 2


def sh_basis(
    directions: FloatArray,  # [..., 3]
    degree: int,
) -> FloatArray:
    """Evaluate the basis functions of `degree` 0..3.

    Args:
        directions: unit vectors `[..., 3] float32`.
        degree: highest degree.

    Returns:
        Basis values `[..., (degree + 1)²] float32`.
    """
    x, y, z = directions[..., 0], directions[..., 1], directions[..., 2]
    basis = np.empty((*directions.shape[:-1], num_coefficients(degree)), dtype=np.float32)
    basis[..., 0] = _SH0
    if degree >= 1:
        basis[..., 1] = -_SH1 * y
        basis[..., 2] = _SH1 * z
        basis[..., 3] = -_SH1 * x
    if degree >= 2:
        basis[..., 4] = _SH2[0] * x * y
        basis[..., 5] = -_SH2[0] * y * z
        basis[..., 6] = _SH2[1] * (2.0 * z * z - x * x - y * y)
        basis[..., 7] = -_SH2[0] * x * z
        basis[..., 8] = _SH2[2] * (x * x - y * y)
    if degree >= 3:
        ring = 4.0 * z * z - x * x - y * y
        basis[..., 9] = -_SH3[0] * y * (3.0 * x * x - y * y)
        basis[..., 10] = _SH3[1] * x * y * z
        basis[..., 11] = -_SH3[2] * y * ring
        basis[..., 12] = _SH3[3] * z * (2.0 * z * z - 3.0 * x * x - 3.0 * y * y)
        basis[..., 13] = -_SH3[2] * x * ring
        basis[..., 14] = _SH3_MIDDLE * z * (x * x - y * y)
        basis[..., 15] = -_SH3[0] * x * (x * x - 3.0 * y * y)
    return basis


def colors(
    sh: FloatArray,  # [M, C, 3]
    directions: FloatArray,  # [M, 3]
) -> FloatArray:
    """Return `max(0, 0.5 + SH)` as `[M, 3] float32` for unit `directions [M, 3]`."""
    degree = int(np.sqrt(sh.shape[1])) - 1
    basis = sh_basis(directions, degree)
    values = 0.5 + np.einsum("mc,mcd->md", basis, sh)
    return np.asarray(np.maximum(values, 0.0), dtype=np.float32)


def fit(
    basis: FloatArray,  # [n, V, C]
    targets: FloatArray,  # [n, K, V, 3]
    weights: FloatArray,  # [n, K, V]
) -> FloatArray:
    """Fit coefficients to colours seen from V directions, by weighted ridge least squares.

    The weighted mean colour is fitted exactly as far as the ridge allows; higher degrees explain
    only the rest. A Gaussian seen from few directions therefore keeps its mean colour instead of
    oscillating between them.

    Args:
        basis: `sh_basis` of the directions of each of `n` anchors, `[n, V, C] float32`.
        targets: observed RGB of the `K` Gaussians of each anchor, `[n, K, V, 3] float32`.
        weights: importance of each observation, `[n, K, V] float32`, >= 0.

    Returns:
        Coefficients `[n, K, C, 3] float32` with `0.5 + basis @ coefficients` near `targets`;
        zeros (grey) where all weights are 0.
    """
    n, V, C = basis.shape
    K = targets.shape[1]
    share = weights / np.maximum(weights.sum(axis=-1, keepdims=True), 1e-12)  # [n, K, V]
    mean = np.einsum("nkv,nkvd->nkd", share, targets)
    rest = (targets - mean[:, :, None]) * share[..., None]  # [n, K, V, 3]
    products = (basis[..., :, None] * basis[..., None, :]).reshape(n, V, C * C)
    normal = (share @ products).reshape(n, K, C, C).astype(np.float64)
    degree_of = np.floor(np.sqrt(np.arange(C))).astype(np.intp)
    normal += np.diag(np.array(_RIDGE)[degree_of])
    moments = basis.transpose(0, 2, 1)[:, None] @ rest  # [n, K, C, 3]
    result = np.linalg.solve(normal, moments.astype(np.float64)).astype(np.float32)
    seen = (weights.sum(axis=-1) > 0.0)[..., None]
    result[:, :, 0] += np.where(seen, (mean - 0.5) / np.float32(_SH0), np.float32(0.0))
    return np.asarray(result)
