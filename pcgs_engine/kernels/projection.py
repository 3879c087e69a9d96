"""Gaussians in world space to ellipses in the image: projection and its visibility test.

In: `[M, ...] float32` arrays of Gaussians and a packed camera. Out: one record per visible
Gaussian (16 float32, one cache line), its view depth and its pixel radii. The same formulas as
gsplat's CUDA projection (docs/design.md), worked in float64 so that thin ellipses stay exact.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = [
    "CAMERA_SIZE",
    "RECORD_SIZE",
    "covariance",
    "jacobian",
    "mark_anchors",
    "project_gaussians",
    "rotate_axes",
    "rotation_matrix",
    "view_axes",
    "view_position",
]

NEAR_PLANE = 0.2
"""Nearest view depth drawn, in world units (3DGS, facts §1.2)."""
DILATION = 0.3
"""Added to both variances of a projected Gaussian, in px² (3DGS)."""
EXTENT = 3.33
"""Largest reach in standard deviations: sqrt(2 ln 255) rounded up, as in gsplat."""
ALPHA_STEPS = 255.0
"""A Gaussian reaches as far as its alpha is at least one part in 255 (3DGS)."""
MAX_RADIUS = 1e9
"""Cap on radii, so that they fit int32."""

CAMERA_SIZE = 22
"""Float64 numbers in a packed camera.

Rotation by rows (9), translation (3), fx, fy, cx, cy, least and greatest x/z and y/z at which the
Jacobian is still followed (4), width, height.
"""
RECORD_SIZE = 16
"""Float32 numbers in a record.

    0, 1      mean in pixels
    2         view depth
    3, 4, 5   conic (inverse covariance: xx, xy, yy)
    6         opacity
    7         sigma_max, the largest exponent drawn
    8, 9, 10  colour
    11        x of the ellipse's middle line per unit of y
    12        determinant / var_y
    13        1 / var_y
    14        y of the rightmost point, from the mean
    15        half height in pixels
"""

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Real = float | np.floating[Any]
Three = tuple[Real, Real, Real]
Six = tuple[Real, Real, Real, Real, Real, Real]
Nine = tuple[Real, Real, Real, Real, Real, Real, Real, Real, Real]


@njit(nogil=True, cache=True, error_model="numpy")
def rotation_matrix(quats: Floats, i: int) -> Nine:
    """Rotation of quaternion `i` (w x y z, any length; zero means identity), row by row."""
    w, x = np.float64(quats[i, 0]), np.float64(quats[i, 1])
    y, z = np.float64(quats[i, 2]), np.float64(quats[i, 3])
    norm = w * w + x * x + y * y + z * z
    s = 2.0 / norm if norm > 0.0 else 0.0
    return (
        1.0 - s * (y * y + z * z),
        s * (x * y - w * z),
        s * (x * z + w * y),
        s * (x * y + w * z),
        1.0 - s * (x * x + z * z),
        s * (y * z - w * x),
        s * (x * z - w * y),
        s * (y * z + w * x),
        1.0 - s * (x * x + y * y),
    )


@njit(nogil=True, cache=True, error_model="numpy")
def view_position(means: Floats, i: int, camera: Doubles) -> Three:
    """Mean `i` in camera axes."""
    x, y, z = np.float64(means[i, 0]), np.float64(means[i, 1]), np.float64(means[i, 2])
    return (
        camera[0] * x + camera[1] * y + camera[2] * z + camera[9],
        camera[3] * x + camera[4] * y + camera[5] * z + camera[10],
        camera[6] * x + camera[7] * y + camera[8] * z + camera[11],
    )


@njit(nogil=True, cache=True, error_model="numpy")
def jacobian(x: Real, y: Real, z: Real, camera: Doubles) -> tuple[Real, Real, Real, Real]:
    """d(pixel)/d(view position): its entries xx, xz, yy, yz; the direction is clamped."""
    ux = min(max(x / z, camera[16]), camera[17])
    uy = min(max(y / z, camera[18]), camera[19])
    return camera[12] / z, -camera[12] * ux / z, camera[13] / z, -camera[13] * uy / z


@njit(nogil=True, cache=True, error_model="numpy")
def view_axes(jac: tuple[Real, Real, Real, Real], camera: Doubles) -> Six:
    """Jacobian times camera rotation, `[2, 3]` row by row: pixels per world unit."""
    return (
        jac[0] * camera[0] + jac[1] * camera[6],
        jac[0] * camera[1] + jac[1] * camera[7],
        jac[0] * camera[2] + jac[1] * camera[8],
        jac[2] * camera[3] + jac[3] * camera[6],
        jac[2] * camera[4] + jac[3] * camera[7],
        jac[2] * camera[5] + jac[3] * camera[8],
    )


@njit(nogil=True, cache=True, error_model="numpy")
def rotate_axes(axes: Six, r: Nine) -> Six:
    """Product of a `[2, 3]` and a `[3, 3]` matrix, row by row."""
    return (
        axes[0] * r[0] + axes[1] * r[3] + axes[2] * r[6],
        axes[0] * r[1] + axes[1] * r[4] + axes[2] * r[7],
        axes[0] * r[2] + axes[1] * r[5] + axes[2] * r[8],
        axes[3] * r[0] + axes[4] * r[3] + axes[5] * r[6],
        axes[3] * r[1] + axes[4] * r[4] + axes[5] * r[7],
        axes[3] * r[2] + axes[4] * r[5] + axes[5] * r[8],
    )


@njit(nogil=True, cache=True, error_model="numpy")
def covariance(axes: Six, scales: Floats, i: int) -> Three:
    """Dilated covariance in the image (xx, xy, yy, px²) of axes scaled by Gaussian `i`'s scales."""
    s0, s1, s2 = np.float64(scales[i, 0]), np.float64(scales[i, 1]), np.float64(scales[i, 2])
    a0, a1, a2 = axes[0] * s0, axes[1] * s1, axes[2] * s2
    b0, b1, b2 = axes[3] * s0, axes[4] * s1, axes[5] * s2
    return (
        a0 * a0 + a1 * a1 + a2 * a2 + DILATION,
        a0 * b0 + a1 * b1 + a2 * b2,
        b0 * b0 + b1 * b1 + b2 * b2 + DILATION,
    )


@njit(nogil=True, cache=True, error_model="numpy")
def _radii(
    px: Real, py: Real, var_x: Real, var_y: Real, extent: Real, camera: Doubles
) -> tuple[Real, Real]:
    """Radii in pixels of a projected Gaussian; zeros when it misses the image."""
    rx = min(math.ceil(extent * math.sqrt(var_x)), MAX_RADIUS)
    ry = min(math.ceil(extent * math.sqrt(var_y)), MAX_RADIUS)
    if px + rx <= 0.0 or px - rx >= camera[20] or py + ry <= 0.0 or py - ry >= camera[21]:
        return 0.0, 0.0
    return rx, ry


@njit(nogil=True, cache=True, error_model="numpy")
def _all_finite(
    i: int, means: Floats, quats: Floats, scales: Floats, opacities: Floats, colors: Floats
) -> bool:
    """Whether every number of Gaussian `i` is finite (a float64 sum of float32 cannot overflow)."""
    total = np.float64(means[i, 0]) + np.float64(means[i, 1]) + np.float64(means[i, 2])
    total += np.float64(quats[i, 0]) + np.float64(quats[i, 1]) + np.float64(quats[i, 2])
    total += np.float64(quats[i, 3]) + np.float64(opacities[i])
    total += np.float64(scales[i, 0]) + np.float64(scales[i, 1]) + np.float64(scales[i, 2])
    total += np.float64(colors[i, 0]) + np.float64(colors[i, 1]) + np.float64(colors[i, 2])
    return math.isfinite(total)


@njit(nogil=True, cache=True, error_model="numpy")
def _write_record(record: Floats, opacity: Real, sigma_max: Real, cov: Three) -> None:
    """Fill the fields of a record that follow from opacity and image covariance."""
    var_x, cov_xy, var_y = cov
    det = var_x * var_y - cov_xy * cov_xy
    record[3] = var_y / det
    record[4] = -cov_xy / det
    record[5] = var_x / det
    record[6] = opacity
    record[7] = sigma_max
    record[11] = cov_xy / var_y
    record[12] = det / var_y
    record[13] = 1.0 / var_y
    record[14] = cov_xy * math.sqrt(2.0 * sigma_max / var_x)
    record[15] = math.sqrt(2.0 * sigma_max * var_y)


@njit(nogil=True, cache=True, error_model="numpy")
def project_gaussians(
    first: int,
    last: int,
    means: Floats,  # [M, 3]
    quats: Floats,  # [M, 4]
    scales: Floats,  # [M, 3]
    opacities: Floats,  # [M]
    colors: Floats,  # [M, 3]
    camera: Doubles,  # [22]
    records: Floats,  # [M, 16], out, only where visible
    depths: Floats,  # [M], out, infinite where culled
    radii: npt.NDArray[np.int32],  # [M, 2], out
    means2d: Floats,  # [M, 2], out
) -> None:
    """Project Gaussians `first..last`; those not finite, too near or outside are culled."""
    for i in range(first, last):
        depths[i] = np.inf
        radii[i, 0] = radii[i, 1] = 0
        means2d[i, 0] = means2d[i, 1] = 0.0
        x, y, z = view_position(means, i, camera)
        opacity = np.float64(opacities[i])
        # Written so that NaN is culled too.
        if not (z >= NEAR_PLANE and opacity * ALPHA_STEPS >= 1.0):
            continue
        if not _all_finite(i, means, quats, scales, opacities, colors):
            continue
        sigma_max = min(math.log(ALPHA_STEPS * opacity), 0.5 * EXTENT * EXTENT)
        px = camera[12] * x / z + camera[14]
        py = camera[13] * y / z + camera[15]
        axes = view_axes(jacobian(x, y, z, camera), camera)
        axes = rotate_axes(axes, rotation_matrix(quats, i))
        cov = covariance(axes, scales, i)
        if not cov[0] * cov[2] - cov[1] * cov[1] > 0.0:
            continue
        rx, ry = _radii(px, py, cov[0], cov[2], math.sqrt(2.0 * sigma_max), camera)
        if rx == 0.0 or ry == 0.0:
            continue
        record = records[i]
        record[0] = px
        record[1] = py
        record[2] = z
        record[8], record[9], record[10] = colors[i, 0], colors[i, 1], colors[i, 2]
        _write_record(record, opacity, sigma_max, cov)
        if math.isfinite(record[3] + record[4] + record[5] + record[15]):
            depths[i] = z
            means2d[i, 0], means2d[i, 1] = px, py
            radii[i, 0], radii[i, 1] = int(rx), int(ry)


@njit(nogil=True, cache=True, error_model="numpy")
def _ball_touches(x: Real, y: Real, z: Real, radius: Real, camera: Doubles) -> bool:
    """Whether a ball at camera axes `x, y, z` can touch the image at full opacity."""
    if not z >= NEAR_PLANE:
        return False
    jac = jacobian(x, y, z, camera)
    # rows of Jacobian times rotation are as long as those of the Jacobian
    var_x = radius * radius * (jac[0] * jac[0] + jac[1] * jac[1]) + DILATION
    var_y = radius * radius * (jac[2] * jac[2] + jac[3] * jac[3]) + DILATION
    if not (math.isfinite(var_x + var_y) and math.isfinite(x + y)):
        return False
    px = camera[12] * x / z + camera[14]
    py = camera[13] * y / z + camera[15]
    rx, ry = _radii(px, py, var_x, var_y, EXTENT, camera)
    return bool(rx > 0.0 and ry > 0.0)


@njit(nogil=True, cache=True, error_model="numpy")
def mark_anchors(
    first: int,
    last: int,
    positions: Floats,  # [N, 3]
    scaling: Floats,  # [N, 6]
    offsets: Floats,  # [N, K, 3]
    mask: npt.NDArray[np.bool_],  # [N, K]
    camera: Doubles,  # [22]
    marks: npt.NDArray[np.bool_],  # [N], out
) -> None:
    """Mark which of the anchors `first..last` have a Gaussian that can touch the image.

    Whatever its shape and rotation, a Gaussian is inside the ball of its anchor's largest scale.
    """
    for i in range(first, last):
        marks[i] = False
        x, y, z = view_position(positions, i, camera)
        largest = np.float64(max(scaling[i, 3], scaling[i, 4], scaling[i, 5]))
        for k in range(mask.shape[1]):
            if not mask[i, k]:
                continue
            u = np.float64(offsets[i, k, 0] * scaling[i, 0])
            v = np.float64(offsets[i, k, 1] * scaling[i, 1])
            w = np.float64(offsets[i, k, 2] * scaling[i, 2])
            gx = x + camera[0] * u + camera[1] * v + camera[2] * w
            gy = y + camera[3] * u + camera[4] * v + camera[5] * w
            gz = z + camera[6] * u + camera[7] * v + camera[8] * w
            if _ball_touches(gx, gy, gz, largest, camera):
                marks[i] = True
                break
