"""Colours from spherical harmonics, real basis with the signs of 3DGS (docs/conventions.md)."""

import torch
from torch import Tensor

__all__ = ["sh_basis", "sh_colors"]

C0 = 0.28209479177387814
C1 = 0.4886025119029199
C2 = (1.0925484305920792, -1.0925484305920792, 0.31539156525252005, -1.0925484305920792,
      0.5462742152960396)  # fmt: skip
C3 = (-0.5900435899266435, 2.890611442640554, -0.4570457994644658, 0.3731763325901154,
      -0.4570457994644658, 1.445305721320277, -0.5900435899266435)  # fmt: skip


def sh_basis(directions: Tensor, degree: int) -> Tensor:
    """Evaluate the basis.

    Args:
        directions: `[M, 3]` unit vectors, camera centre to Gaussian, world axes.
        degree: 0..3.

    Returns:
        `[M, (degree + 1)²]`.
    """
    x, y, z = directions.unbind(dim=1)
    basis = [torch.full_like(x, C0)]
    if degree >= 1:
        basis += [-C1 * y, C1 * z, -C1 * x]
    if degree >= 2:
        xx, yy, zz = x * x, y * y, z * z
        basis += [
            C2[0] * x * y,
            C2[1] * y * z,
            C2[2] * (2 * zz - xx - yy),
            C2[3] * x * z,
            C2[4] * (xx - yy),
        ]
        if degree >= 3:
            basis += [
                C3[0] * y * (3 * xx - yy),
                C3[1] * x * y * z,
                C3[2] * y * (4 * zz - xx - yy),
                C3[3] * z * (2 * zz - 3 * xx - 3 * yy),
                C3[4] * x * (4 * zz - xx - yy),
                C3[5] * z * (xx - yy),
                C3[6] * x * (xx - 3 * yy),
            ]
    return torch.stack(basis, dim=1)


def sh_colors(coefficients: Tensor, directions: Tensor) -> Tensor:
    """Return `max(0, 0.5 + SH)`.

    Args:
        coefficients: `[M, (degree + 1)², 3]`.
        directions: `[M, 3]`, any length; no gradient is wanted through them.
    """
    degree = int(coefficients.shape[1] ** 0.5 + 0.5) - 1
    unit = torch.nn.functional.normalize(directions, dim=1)
    basis = sh_basis(unit, degree)
    return ((basis[:, :, None] * coefficients).sum(dim=1) + 0.5).clamp_min(0.0)
