"""Head outputs of anchors in view to Gaussians, and gradients back: one pass over memory each.

In: per anchor row the head's opacity, covariance and colour, scaling, offsets, masks. Out: the
Gaussians that exist, in slot order; `model/derive.py` says the same in torch, readably. Every
Gaussian belongs to one anchor row, so ranges of rows write disjoint outputs in both directions.
"""

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from .exponential import sigmoid32

__all__ = ["MAX_BASIS", "count_gaussians", "derive_rows", "derive_rows_backward"]

MAX_BASIS = 16
"""Spherical harmonics of degree 3."""

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

_ZERO = np.float32(0.0)
_HALF = np.float32(0.5)
_ONE = np.float32(1.0)
_LEAST_SCALING = np.float32(1e-9)
_LEAST_LENGTH = np.float32(1e-12)
# NaN keeps its meaning: a poisoned head must not look healthy
_MATH = {"reassoc", "contract", "nsz", "arcp"}

# real spherical harmonics with the signs of 3DGS (docs/conventions.md)
_C0 = np.float32(0.28209479177387814)
_C1 = np.float32(0.4886025119029199)
_C2 = np.array([1.0925484305920792, 0.31539156525252005, 0.5462742152960396], np.float32)
_C3 = np.array(
    [0.5900435899266435, 2.890611442640554, 0.4570457994644658, 0.3731763325901154,
     1.445305721320277], np.float32,
)  # fmt: skip


@njit(nogil=True, cache=True, fastmath=_MATH)
def _fill_basis(x: np.float32, y: np.float32, z: np.float32, count: int, basis: FloatArray) -> None:
    """Write the `count` (1, 4, 9 or 16) basis functions of direction x, y, z of any length."""
    basis[0] = _C0
    if count == 1:
        return
    scale = _ONE / max(np.float32(math.sqrt(x * x + y * y + z * z)), _LEAST_LENGTH)
    x, y, z = x * scale, y * scale, z * scale
    basis[1], basis[2], basis[3] = -_C1 * y, _C1 * z, -_C1 * x
    if count == 4:
        return
    xx, yy, zz = x * x, y * y, z * z
    two_zz, three_xx, three_yy = zz + zz, xx + xx + xx, yy + yy + yy
    four_zz = two_zz + two_zz
    basis[4], basis[5] = _C2[0] * x * y, -_C2[0] * y * z
    basis[6] = _C2[1] * (two_zz - xx - yy)
    basis[7], basis[8] = -_C2[0] * x * z, _C2[2] * (xx - yy)
    if count == 9:
        return
    basis[9], basis[10] = -_C3[0] * y * (three_xx - yy), _C3[1] * x * y * z
    basis[11] = -_C3[2] * y * (four_zz - xx - yy)
    basis[12] = _C3[3] * z * (two_zz - three_xx - three_yy)
    basis[13] = -_C3[2] * x * (four_zz - xx - yy)
    basis[14], basis[15] = _C3[4] * z * (xx - yy), -_C3[0] * x * (xx - three_yy)


@njit(nogil=True, cache=True)
def count_gaussians(
    first: int,
    last: int,
    opacity: FloatArray,  # [n, K]
    mask: FloatArray,  # [n, K]
    starts: IntArray,  # [n + 1]
) -> None:
    """Write how many Gaussians row i has to `starts[i + 1]`."""
    for i in range(first, last):
        count = 0
        for k in range(opacity.shape[1]):
            if opacity[i, k] > _ZERO and mask[i, k] > _ZERO:
                count += 1
        starts[i + 1] = count


@njit(nogil=True, cache=True, fastmath=_MATH)
def derive_rows(
    first: int,
    last: int,
    starts: IntArray,  # [n + 1] first Gaussian of every row
    positions: FloatArray,  # [n, 3]
    centre: FloatArray,  # [3] camera
    scaling: FloatArray,  # [n, 6]
    offsets: FloatArray,  # [n, K, 3]
    mask: FloatArray,  # [n, K]
    opacity: FloatArray,  # [n, K]
    covariance: FloatArray,  # [n, K, 7]
    color: FloatArray,  # [n, K, B, 3]
    harmonic: bool,
    means: FloatArray,  # [M, 3]
    quats: FloatArray,  # [M, 4]
    scales: FloatArray,  # [M, 3]
    opacities: FloatArray,  # [M]
    colors: FloatArray,  # [M, 3]
    slots: IntArray,  # [M]
) -> None:
    """Write the Gaussians of the rows `first..last`; not `harmonic`: colours are copied."""
    size, terms = opacity.shape[1], color.shape[2]
    basis = np.empty(MAX_BASIS, np.float32)
    for i in range(first, last):
        at = starts[i]
        for k in range(size):
            if not (opacity[i, k] > _ZERO and mask[i, k] > _ZERO):
                continue
            share = mask[i, k]
            slots[at] = i * size + k
            opacities[at] = opacity[i, k] * share
            for c in range(3):
                near = max(scaling[i, c], _LEAST_SCALING)
                wide = max(scaling[i, 3 + c], _LEAST_SCALING)
                means[at, c] = positions[i, c] + offsets[i, k, c] * near
                scales[at, c] = wide * sigmoid32(covariance[i, k, c]) * share
            for c in range(4):
                quats[at, c] = covariance[i, k, 3 + c]
            quats[at, 0] += _ONE
            if harmonic:
                x, y = means[at, 0] - centre[0], means[at, 1] - centre[1]
                _fill_basis(x, y, means[at, 2] - centre[2], terms, basis)
                for c in range(3):
                    value = _HALF
                    for b in range(terms):
                        value += basis[b] * color[i, k, b, c]
                    colors[at, c] = value if value >= _ZERO or value != value else _ZERO
            else:
                for c in range(3):
                    colors[at, c] = color[i, k, 0, c]
            at += 1


@njit(nogil=True, cache=True, fastmath=_MATH, inline="always")
def _color_backward(
    i: int,
    k: int,
    at: int,
    directions: FloatArray,  # [M, 3]
    color: FloatArray,  # [n, K, B, 3]
    v_colors: FloatArray,  # [M, 3]
    basis: FloatArray,
    v_color: FloatArray,  # [n, K, B, 3]
) -> None:
    """Write the colour gradient of Gaussian `at`; whole arrays, as views cost time here."""
    terms = color.shape[2]
    _fill_basis(directions[at, 0], directions[at, 1], directions[at, 2], terms, basis)
    for c in range(3):
        value, pull = _HALF, v_colors[at, c]
        for b in range(terms):
            value += basis[b] * color[i, k, b, c]
        pull = pull if value >= _ZERO else _ZERO
        for b in range(terms):
            v_color[i, k, b, c] = basis[b] * pull


@njit(nogil=True, cache=True, inline="always")
def _clear_gaussian(
    i: int,
    k: int,
    v_offsets: FloatArray,
    v_mask: FloatArray,
    v_opacity: FloatArray,
    v_covariance: FloatArray,
    v_color: FloatArray,
) -> None:
    v_mask[i, k], v_opacity[i, k] = _ZERO, _ZERO
    for c in range(3):
        v_offsets[i, k, c] = _ZERO
    for c in range(7):
        v_covariance[i, k, c] = _ZERO
    for b in range(v_color.shape[2]):
        for c in range(3):
            v_color[i, k, b, c] = _ZERO


@njit(nogil=True, cache=True, fastmath=_MATH)
def derive_rows_backward(
    first: int,
    last: int,
    starts: IntArray,  # [n + 1]
    directions: FloatArray,  # [M, 3] centres minus the camera's
    scaling: FloatArray,  # [n, 6]
    offsets: FloatArray,  # [n, K, 3]
    mask: FloatArray,  # [n, K]
    opacity: FloatArray,  # [n, K]
    covariance: FloatArray,  # [n, K, 7]
    color: FloatArray,  # [n, K, B, 3]
    harmonic: bool,
    v_means: FloatArray,  # [M, 3]
    v_quats: FloatArray,  # [M, 4]
    v_scales: FloatArray,  # [M, 3]
    v_opacities: FloatArray,  # [M]
    v_colors: FloatArray,  # [M, 3]
    v_scaling: FloatArray,  # [n, 6]
    v_offsets: FloatArray,  # [n, K, 3]
    v_mask: FloatArray,  # [n, K]
    v_opacity: FloatArray,  # [n, K]
    v_covariance: FloatArray,  # [n, K, 7]
    v_color: FloatArray,  # [n, K, B, 3]
) -> None:
    """Write all gradients of the rows `first..last`; zeros where no Gaussian exists."""
    basis = np.empty(MAX_BASIS, np.float32)
    for i in range(first, last):
        at = starts[i]
        v_scaling[i] = _ZERO
        for k in range(opacity.shape[1]):
            if not (opacity[i, k] > _ZERO and mask[i, k] > _ZERO):
                _clear_gaussian(i, k, v_offsets, v_mask, v_opacity, v_covariance, v_color)
                continue
            share = mask[i, k]
            v_opacity[i, k] = v_opacities[at] * share
            by_mask = v_opacities[at] * opacity[i, k]
            for c in range(3):
                near, wide = scaling[i, c], scaling[i, 3 + c]
                v_offsets[i, k, c] = v_means[at, c] * max(near, _LEAST_SCALING)
                if near >= _LEAST_SCALING:
                    v_scaling[i, c] += v_means[at, c] * offsets[i, k, c]
                part = sigmoid32(covariance[i, k, c])
                if wide >= _LEAST_SCALING:
                    v_scaling[i, 3 + c] += v_scales[at, c] * part * share
                pull = v_scales[at, c] * max(wide, _LEAST_SCALING)
                by_mask += pull * part
                v_covariance[i, k, c] = pull * share * part * (_ONE - part)
            v_mask[i, k] = by_mask
            for c in range(4):
                v_covariance[i, k, 3 + c] = v_quats[at, c]
            if harmonic:
                _color_backward(i, k, at, directions, color, v_colors, basis, v_color)
            else:
                v_color[i, k, 0] = v_colors[at]
            at += 1
