"""Gradients of projection: from the sums per hit to the Gaussians' own parameters.

In: rows of sums (compositing_backward), grouped by Gaussian. Out: gradients; those of Gaussians
that were not drawn are left as they are (zero). The rows of one Gaussian are added in a fixed
order, so the result does not depend on threads.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from .projection import (
    Doubles,
    Floats,
    Nine,
    Real,
    Six,
    Three,
    covariance,
    jacobian,
    rotate_axes,
    rotation_matrix,
    view_axes,
    view_position,
)

__all__ = ["gather_gradients"]


@njit(nogil=True, cache=True, error_model="numpy")
def _covariance_gradient(conic: Three, v_xx: Real, v_xy: Real, v_yy: Real) -> Three:
    """Gradient of the image covariance from that of the conic Q: -Q V Q, off-diagonals summed."""
    a, b, c = conic
    half = 0.5 * v_xy
    left_0, left_1 = a * v_xx + b * half, a * half + b * v_yy
    left_2, left_3 = b * v_xx + c * half, b * half + c * v_yy
    return (
        -(left_0 * a + left_1 * b),
        -2.0 * (left_0 * b + left_1 * c),
        -(left_2 * b + left_3 * c),
    )


@njit(nogil=True, cache=True, error_model="numpy")
def _axes_gradient(axes: Six, scales: Floats, i: int, v_cov: Three, v_scales: Floats) -> Six:
    """Gradient of the unscaled axes from that of their covariance; writes the scales' gradient."""
    v_xx, v_xy, v_yy = v_cov
    s0, s1, s2 = np.float64(scales[i, 0]), np.float64(scales[i, 1]), np.float64(scales[i, 2])
    # Gradient with respect to the scaled axes a = axis x scale is 2 V a; both factors hang on it.
    a0 = s0 * (2.0 * v_xx * axes[0] + v_xy * axes[3])
    a1 = s1 * (2.0 * v_xx * axes[1] + v_xy * axes[4])
    a2 = s2 * (2.0 * v_xx * axes[2] + v_xy * axes[5])
    b0 = s0 * (v_xy * axes[0] + 2.0 * v_yy * axes[3])
    b1 = s1 * (v_xy * axes[1] + 2.0 * v_yy * axes[4])
    b2 = s2 * (v_xy * axes[2] + 2.0 * v_yy * axes[5])
    v_scales[i, 0] = a0 * axes[0] + b0 * axes[3]
    v_scales[i, 1] = a1 * axes[1] + b1 * axes[4]
    v_scales[i, 2] = a2 * axes[2] + b2 * axes[5]
    return a0 * s0, a1 * s1, a2 * s2, b0 * s0, b1 * s1, b2 * s2


@njit(nogil=True, cache=True, error_model="numpy")
def _quaternion_gradient(quats: Floats, i: int, u: Six, v: Six, v_quats: Floats) -> None:
    """Gradient of a quaternion from that of the product U R, with dL/dR = Uᵀ V."""
    w, x = np.float64(quats[i, 0]), np.float64(quats[i, 1])
    y, z = np.float64(quats[i, 2]), np.float64(quats[i, 3])
    norm = w * w + x * x + y * y + z * z
    if not norm > 0.0:
        return
    inverse = 1.0 / np.sqrt(norm)
    w, x, y, z = w * inverse, x * inverse, y * inverse, z * inverse
    r00, r01, r02 = u[0] * v[0] + u[3] * v[3], u[0] * v[1] + u[3] * v[4], u[0] * v[2] + u[3] * v[5]
    r10, r11, r12 = u[1] * v[0] + u[4] * v[3], u[1] * v[1] + u[4] * v[4], u[1] * v[2] + u[4] * v[5]
    r20, r21, r22 = u[2] * v[0] + u[5] * v[3], u[2] * v[1] + u[5] * v[4], u[2] * v[2] + u[5] * v[5]
    g_w = 2.0 * (x * (r21 - r12) + y * (r02 - r20) + z * (r10 - r01))
    g_x = 2.0 * (y * (r01 + r10) + z * (r02 + r20) + w * (r21 - r12) - 2.0 * x * (r11 + r22))
    g_y = 2.0 * (x * (r01 + r10) + z * (r12 + r21) + w * (r02 - r20) - 2.0 * y * (r00 + r22))
    g_z = 2.0 * (x * (r02 + r20) + y * (r12 + r21) + w * (r10 - r01) - 2.0 * z * (r00 + r11))
    along = g_w * w + g_x * x + g_y * y + g_z * z
    v_quats[i, 0] = (g_w - along * w) * inverse
    v_quats[i, 1] = (g_x - along * x) * inverse
    v_quats[i, 2] = (g_y - along * y) * inverse
    v_quats[i, 3] = (g_z - along * z) * inverse


@njit(nogil=True, cache=True, error_model="numpy")
def _mean_gradient(
    i: int,
    position: Three,
    camera: Doubles,
    v_axes: Six,
    v_pixel: Three,
    v_means: Floats,
) -> None:
    """Gradient of a mean from those of the view axes (J W), the pixel position and the depth."""
    x, y, z = position
    fx, fy = camera[12], camera[13]
    v_xx = v_axes[0] * camera[0] + v_axes[1] * camera[1] + v_axes[2] * camera[2]
    v_xz = v_axes[0] * camera[6] + v_axes[1] * camera[7] + v_axes[2] * camera[8]
    v_yy = v_axes[3] * camera[3] + v_axes[4] * camera[4] + v_axes[5] * camera[5]
    v_yz = v_axes[3] * camera[6] + v_axes[4] * camera[7] + v_axes[5] * camera[8]
    inverse = 1.0 / z
    ux, uy = x * inverse, y * inverse
    g_x = v_pixel[0] * fx * inverse
    g_y = v_pixel[1] * fy * inverse
    g_z = v_pixel[2] - (g_x * ux + g_y * uy)
    clamped_x = min(max(ux, camera[16]), camera[17])
    clamped_y = min(max(uy, camera[18]), camera[19])
    scale = inverse * inverse
    g_z += scale * (fx * (v_xz * clamped_x - v_xx) + fy * (v_yz * clamped_y - v_yy))
    # Where the direction is clamped the Jacobian follows the depth alone.
    if clamped_x == ux:
        g_x -= v_xz * fx * scale
        g_z += v_xz * fx * ux * scale
    if clamped_y == uy:
        g_y -= v_yz * fy * scale
        g_z += v_yz * fy * uy * scale
    for k in range(3):
        v_means[i, k] = camera[k] * g_x + camera[3 + k] * g_y + camera[6 + k] * g_z


@njit(nogil=True, cache=True, error_model="numpy")
def _unrotate_axes(v: Six, r: Nine) -> Six:
    """Product of a `[2, 3]` matrix and a transposed `[3, 3]` one."""
    product: Six = rotate_axes(v, (r[0], r[3], r[6], r[1], r[4], r[7], r[2], r[5], r[8]))
    return product


@njit(nogil=True, cache=True, error_model="numpy")
def gather_gradients(
    first: int,
    last: int,
    slots: npt.NDArray[np.int64],  # [M + 1]
    sums: Floats,  # [H, 10]
    camera: Doubles,  # [22]
    means: Floats,  # [M, 3]
    quats: Floats,  # [M, 4]
    scales: Floats,  # [M, 3]
    opacities: Floats,  # [M]
    v_means: Floats,  # [M, 3], out
    v_quats: Floats,  # [M, 4], out
    v_scales: Floats,  # [M, 3], out
    v_opacities: Floats,  # [M], out
    v_colors: Floats,  # [M, 3], out
    v_means2d: Floats,  # [M, 2], out
) -> None:
    """Gradients of the Gaussians `first..last`; those without hits are left as they are."""
    total = np.empty(10, np.float64)
    for i in range(first, last):
        if slots[i] == slots[i + 1]:
            continue
        total[:] = 0.0
        for slot in range(slots[i], slots[i + 1]):
            for k in range(10):
                total[k] += sums[slot, k]
        position = view_position(means, i, camera)
        rotation = rotation_matrix(quats, i)
        axes = view_axes(jacobian(position[0], position[1], position[2], camera), camera)
        rotated = rotate_axes(axes, rotation)
        var_x, cov_xy, var_y = covariance(rotated, scales, i)
        inverse = 1.0 / (var_x * var_y - cov_xy * cov_xy)
        a, b, c = var_y * inverse, -cov_xy * inverse, var_x * inverse
        # g = dL/d ln(alpha) = -dL/dsigma, sigma = (a dx² + c dy²) / 2 + b dx dy.
        v_px = a * total[1] + b * total[2]
        v_py = b * total[1] + c * total[2]
        v_means2d[i, 0], v_means2d[i, 1] = v_px, v_py
        v_opacities[i] = total[0] / opacities[i]
        v_colors[i, 0], v_colors[i, 1], v_colors[i, 2] = total[6], total[7], total[8]
        v_cov = _covariance_gradient((a, b, c), -0.5 * total[3], -total[4], -0.5 * total[5])
        v_rotated = _axes_gradient(rotated, scales, i, v_cov, v_scales)
        _quaternion_gradient(quats, i, axes, v_rotated, v_quats)
        v_axes = _unrotate_axes(v_rotated, rotation)
        _mean_gradient(i, position, camera, v_axes, (v_px, v_py, total[9]), v_means)
