"""Rows of the anchor tensors for one training view, and their gradients back into whole tensors.

In: the trainable anchor tensors, the rows wanted, quantization steps. Out: features, scalings and
offsets with uniform noise or rounded, masks as 0/1; backward the gradients of the whole tensors,
every entry written once. Rows are ascending and distinct, so that ranges of anchors write disjoint
outputs.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from .exponential import exp32, sigmoid32, softplus32

__all__ = ["mark_present", "spread_gradients", "take_rows"]

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

_ZERO = np.float32(0.0)
_ONE = np.float32(1.0)
_HALF = np.float32(0.5)
_MATH = {"reassoc", "contract", "nsz", "arcp"}
_UNIT = np.float32(2.0**-24)


@njit(nogil=True, cache=True)
def _mask_total(logits: FloatArray, row: int, k: int, level: int) -> np.float32:
    """Return logit 1 plus the softplus of logits 2..`level` (facts §3.3)."""
    total = logits[row, k, 0]
    for s in range(1, level):
        total += softplus32(logits[row, k, s])
    return np.float32(total)


@njit(nogil=True, cache=True, inline="always")
def _noise(counter: int, low: np.uint32, high: np.uint32) -> np.float32:
    """Return a number uniform in [-0.5, 0.5): two rounds of Wellons' lowbias32 hash."""
    h = np.uint32(np.uint32(counter) ^ low)
    h = np.uint32((h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D))
    h = np.uint32((h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B))
    h = np.uint32((h ^ (h >> np.uint32(16))) + high)
    h = np.uint32((h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D))
    h = np.uint32((h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B))
    h = np.uint32(h ^ (h >> np.uint32(16)))
    return np.float32(np.int32(h >> np.uint32(8))) * _UNIT - _HALF


@njit(nogil=True, cache=True)
def mark_present(
    first: int,
    last: int,
    logits: FloatArray,  # [N, K, S]
    rows: IntArray,  # [n]
    level: int,
    threshold: float,
    present: npt.NDArray[np.bool_],  # [n]
) -> None:
    """Mark the rows `first..last` of which any Gaussian exists at `level`."""
    for i in range(first, last):
        found = False
        for k in range(logits.shape[1]):
            if sigmoid32(_mask_total(logits, rows[i], k, level)) > threshold:
                found = True
                break
        present[i] = found


@njit(nogil=True, cache=True, fastmath=_MATH)
def _add_noise(out: FloatArray, step: np.float32, start: int, seed: npt.NDArray[np.uint32]) -> None:
    low, high = seed[0], seed[1]
    for c in range(out.shape[0]):
        out[c] += _noise(start + c, low, high) * step


@njit(nogil=True, cache=True)
def _round_to(out: FloatArray, step: np.float32, errors: FloatArray) -> None:
    """Round `out` to multiples of `step` and keep what rounding adds, in steps."""
    for c in range(out.shape[0]):
        scaled = out[c] / step
        index = np.rint(scaled)
        errors[c] = index - scaled
        out[c] = index * step


@njit(nogil=True, cache=True, fastmath=_MATH)
def _error_product(grad: FloatArray, errors: FloatArray) -> np.float32:
    total = _ZERO
    for c in range(grad.shape[0]):
        total += errors[c] * grad[c]
    return total


@njit(nogil=True, cache=True, fastmath=_MATH)
def _noise_product(grad: FloatArray, start: int, seed: npt.NDArray[np.uint32]) -> np.float32:
    low, high = seed[0], seed[1]
    total = _ZERO
    for c in range(grad.shape[0]):
        total += _noise(start + c, low, high) * grad[c]
    return total


@njit(nogil=True, cache=True, fastmath=_MATH)
def take_rows(
    first: int,
    last: int,
    feature: FloatArray,  # [N, F]
    log_scaling: FloatArray,  # [N, 6]
    offsets: FloatArray,  # [N, 3 K]
    logits: FloatArray,  # [N, K, S]
    rows: IntArray,  # [n]
    level: int,
    threshold: float,
    steps: FloatArray,  # [n, 3] of feature, scaling, offsets; [0, 3] for no noise
    seed: npt.NDArray[np.uint32],  # [2]
    errors: FloatArray,  # [n, F + 6 + 3 K] of rounding, in steps; [0, 0] for noise instead
    out_feature: FloatArray,  # [n, F]
    out_scaling: FloatArray,  # [n, 6] linear
    out_offsets: FloatArray,  # [n, 3 K]
    out_mask: FloatArray,  # [n, K] 0 or 1
    slopes: FloatArray,  # [n, K] derivative of the mask's sigmoid
) -> None:
    """Copy rows, take the scalings' exponential, decide masks, add noise of `steps` or round."""
    features, places = feature.shape[1], offsets.shape[1]
    width = features + 6 + places
    for i in range(first, last):
        row = rows[i]
        for c in range(features):
            out_feature[i, c] = feature[row, c]
        for c in range(6):
            out_scaling[i, c] = exp32(log_scaling[row, c])
        for c in range(places):
            out_offsets[i, c] = offsets[row, c]
        for k in range(logits.shape[1]):
            probability = sigmoid32(_mask_total(logits, row, k, level))
            out_mask[i, k] = _ONE if probability > threshold else _ZERO
            slopes[i, k] = probability * (_ONE - probability)
        if errors.shape[0]:
            _round_to(out_feature[i], steps[i, 0], errors[i, :features])
            _round_to(out_scaling[i], steps[i, 1], errors[i, features : features + 6])
            _round_to(out_offsets[i], steps[i, 2], errors[i, features + 6 :])
        elif steps.shape[0]:
            start = i * width
            _add_noise(out_feature[i], steps[i, 0], start, seed)
            _add_noise(out_scaling[i], steps[i, 1], start + features, seed)
            _add_noise(out_offsets[i], steps[i, 2], start + features + 6, seed)


@njit(nogil=True, cache=True, fastmath=_MATH)
def _spread_row(
    row: int,
    i: int,
    log_scaling: FloatArray,
    logits: FloatArray,
    level: int,
    seed: npt.NDArray[np.uint32],
    drawn: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    slopes: FloatArray,
    errors: FloatArray,
    v_steps: FloatArray,
    out: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
) -> None:
    """Write the gradients of one anchor that was drawn as number `i`."""
    v_feature, v_scaling, v_offsets, v_mask = drawn
    out_feature, out_scaling, out_offsets, out_logits = out
    features, places = v_feature.shape[1], v_offsets.shape[1]
    for c in range(features):
        out_feature[row, c] = v_feature[i, c]
    for c in range(places):
        out_offsets[row, c] = v_offsets[i, c]
    for c in range(6):
        out_scaling[row, c] = v_scaling[i, c] * exp32(log_scaling[row, c])
    for k in range(v_mask.shape[1]):
        slope = v_mask[i, k] * slopes[i, k]
        out_logits[row, k, 0] = slope
        for s in range(1, level):
            out_logits[row, k, s] = slope * sigmoid32(logits[row, k, s])
        for s in range(level, logits.shape[2]):
            out_logits[row, k, s] = _ZERO
    if errors.shape[0]:
        v_steps[i, 0] = _error_product(v_feature[i], errors[i, :features])
        v_steps[i, 1] = _error_product(v_scaling[i], errors[i, features : features + 6])
        v_steps[i, 2] = _error_product(v_offsets[i], errors[i, features + 6 :])
    elif v_steps.shape[0]:
        start = i * (features + 6 + places)
        v_steps[i, 0] = _noise_product(v_feature[i], start, seed)
        v_steps[i, 1] = _noise_product(v_scaling[i], start + features, seed)
        v_steps[i, 2] = _noise_product(v_offsets[i], start + features + 6, seed)


@njit(nogil=True, cache=True)
def _clear_row(row: int, out: tuple[FloatArray, FloatArray, FloatArray, FloatArray]) -> None:
    feature, scaling, offsets, logits = out
    for c in range(feature.shape[1]):
        feature[row, c] = _ZERO
    for c in range(6):
        scaling[row, c] = _ZERO
    for c in range(offsets.shape[1]):
        offsets[row, c] = _ZERO
    for k in range(logits.shape[1]):
        for s in range(logits.shape[2]):
            logits[row, k, s] = _ZERO


@njit(nogil=True, cache=True, fastmath=_MATH)
def spread_gradients(
    first: int,
    last: int,
    log_scaling: FloatArray,  # [N, 6]
    logits: FloatArray,  # [N, K, S]
    level: int,
    seed: npt.NDArray[np.uint32],  # [2]
    rows: IntArray,  # [n] ascending
    drawn: tuple[FloatArray, FloatArray, FloatArray, FloatArray],  # gradients of take_rows
    slopes: FloatArray,  # [n, K] of take_rows
    errors: FloatArray,  # [n, F + 6 + 3 K] or [0, 0], of take_rows
    sample: IntArray,  # [m] ascending
    raw: tuple[FloatArray, FloatArray, FloatArray, FloatArray],  # [m, ...] of plain rows
    v_steps: FloatArray,  # [n, 3], or [0, 3]
    out: tuple[FloatArray, FloatArray, FloatArray, FloatArray],  # [N, ...]
) -> None:
    """Write the gradients of the anchors `first..last`, from both sets of rows."""
    i, j = np.searchsorted(rows, first), np.searchsorted(sample, first)
    for row in range(first, last):
        if i < rows.shape[0] and rows[i] == row:
            _spread_row(
                row, i, log_scaling, logits, level, seed, drawn, slopes, errors, v_steps, out
            )
            i += 1
        else:
            _clear_row(row, out)
        if j < sample.shape[0] and sample[j] == row:
            out[0][row] += raw[0][j]
            out[1][row] += raw[1][j]
            out[2][row] += raw[2][j]
            out[3][row] += raw[3][j]
            j += 1
