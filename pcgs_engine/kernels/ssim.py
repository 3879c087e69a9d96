"""Image loss on the CPU: (1 - w) L1 + w (1 - SSIM) and its gradient in one forward pass.

In: an image and a target [H, W, 3], optionally which pixels count. Out: sums of |difference| and
SSIM per row, the gradient of the loss. SSIM windows are 11 x 11 Gaussians of sigma 1.5, separable,
zeros outside the image (facts §1.4). Three passes over bands of rows, each to be finished before
the next; interleaved colours are blurred in place as rows of 3 W numbers with a stride of 3.

Work arrays carry `RADIUS` rows of zeros above and below. Every row is computed in a fixed order,
so results do not depend on the number of threads.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["RADIUS", "blur_moments", "compare_rows", "finish_gradient", "window_weights"]

RADIUS = 5
"""Half width of the window without its centre. Source: facts §1.4, 11 x 11."""
SIGMA = 1.5
"""Source: facts §1.4."""

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

_C1 = np.float32(0.01**2)  # 3DGS, from Wang et al. 2004 with a range of 1
_C2 = np.float32(0.03**2)
_PAD = 3 * RADIUS
_ZERO = np.float32(0.0)
_ONE = np.float32(1.0)
_TWO = np.float32(2.0)
# NaN and infinity keep their meaning: a poisoned image gives a NaN loss
_MATH = {"reassoc", "contract", "nsz", "arcp"}


def window_weights() -> FloatArray:
    """Return the window of one axis from its centre outwards, [RADIUS + 1] float32."""
    full = np.exp(-(np.arange(-RADIUS, RADIUS + 1) ** 2) / (2 * SIGMA**2))
    half: FloatArray = (full / full.sum())[RADIUS:].astype(np.float32)
    return half


@njit(nogil=True, cache=True, fastmath=_MATH)
def _blur_across(padded: FloatArray, window: FloatArray, out: FloatArray) -> None:
    """Blur one row of 3 W numbers; `padded` has `_PAD` zeros on both sides."""
    n = out.shape[0]
    middle = padded[_PAD : _PAD + n]
    for i in range(n):
        out[i] = window[0] * middle[i]
    for k in range(1, RADIUS + 1):
        left, right = padded[_PAD - 3 * k : _PAD - 3 * k + n], padded[_PAD + 3 * k :]
        w = window[k]
        for i in range(n):
            out[i] += w * (left[i] + right[i])


@njit(nogil=True, cache=True, fastmath=_MATH)
def _blur_down(plane: FloatArray, row: int, window: FloatArray, out: FloatArray) -> None:
    """Blur down the columns at image row `row`; `plane` has `RADIUS` rows of zeros around it."""
    n = out.shape[0]
    middle = plane[row + RADIUS]
    for i in range(n):
        out[i] = window[0] * middle[i]
    for k in range(1, RADIUS + 1):
        above, below = plane[row + RADIUS - k], plane[row + RADIUS + k]
        w = window[k]
        for i in range(n):
            out[i] += w * (above[i] + below[i])


@njit(nogil=True, cache=True, fastmath=_MATH)
def blur_moments(
    image: FloatArray,  # [H, 3 W]
    target: FloatArray,  # [H, 3 W]
    valid: BoolArray,  # [H, W], or [0, 0] where all pixels count
    window: FloatArray,  # [RADIUS + 1]
    start: int,
    end: int,
    moments: FloatArray,  # [4, H + 2 RADIUS, 3 W]
    differences: npt.NDArray[np.float64],  # [H]
) -> None:
    """Blur x, y, x² + y² and x y across rows `start..end`, and sum |x - y| of each row.

    Pixels that do not count take the target's value.
    """
    n = image.shape[1]
    x, y = np.zeros(n + 2 * _PAD, np.float32), np.zeros(n + 2 * _PAD, np.float32)
    squares, product = np.zeros(n + 2 * _PAD, np.float32), np.zeros(n + 2 * _PAD, np.float32)
    xs, ys = x[_PAD : _PAD + n], y[_PAD : _PAD + n]
    ss, ps = squares[_PAD : _PAD + n], product[_PAD : _PAD + n]
    for row in range(start, end):
        xs[:] = image[row]
        ys[:] = target[row]
        if valid.shape[0]:
            for p in range(valid.shape[1]):
                if not valid[row, p]:
                    for i in range(3 * p, 3 * p + 3):
                        xs[i] = ys[i]
        total = _ZERO
        for i in range(n):
            ss[i] = xs[i] * xs[i] + ys[i] * ys[i]
            ps[i] = xs[i] * ys[i]
            total += abs(xs[i] - ys[i])
        differences[row] = total
        _blur_across(x, window, moments[0, row + RADIUS])
        _blur_across(y, window, moments[1, row + RADIUS])
        _blur_across(squares, window, moments[2, row + RADIUS])
        _blur_across(product, window, moments[3, row + RADIUS])


@njit(nogil=True, cache=True, fastmath=_MATH)
def _compare(
    mean_x: FloatArray,
    mean_y: FloatArray,
    squares: FloatArray,
    product: FloatArray,
    by_mean: FloatArray,
    by_square: FloatArray,
    by_product: FloatArray,
) -> np.float32:
    """Return the sum of SSIM over one row, and its derivative by the blurred moments of x."""
    total = _ZERO
    for i in range(mean_x.shape[0]):
        mx, my = mean_x[i], mean_y[i]
        both, energy = mx * my, mx * mx + my * my
        a1, a2 = _TWO * both + _C1, _TWO * (product[i] - both) + _C2
        b1, b2 = energy + _C1, squares[i] - energy + _C2
        inverse = _ONE / (b1 * b2)
        ssim = a1 * a2 * inverse
        total += ssim
        by_square[i] = -ssim * inverse * b1
        by_product[i] = _TWO * a1 * inverse
        by_mean[i] = _TWO * (my * (a2 - a1) + mx * ssim * (b1 - b2)) * inverse
    return total


@njit(nogil=True, cache=True, fastmath=_MATH)
def compare_rows(
    moments: FloatArray,  # [4, H + 2 RADIUS, 3 W], of blur_moments
    window: FloatArray,
    start: int,
    end: int,
    slopes: FloatArray,  # [3, H + 2 RADIUS, 3 W], or [3, 0, 0] where no gradient is wanted
    similarity: npt.NDArray[np.float64],  # [H]
) -> None:
    """Sum SSIM of each row `start..end`; blur its derivatives by x, x², x y across."""
    n = moments.shape[2]
    means = np.empty((4, n), np.float32)
    padded = np.zeros((3, n + 2 * _PAD), np.float32)
    a, b, c = padded[0], padded[1], padded[2]
    inner = slice(_PAD, _PAD + n)
    for row in range(start, end):
        for k in range(4):
            _blur_down(moments[k], row, window, means[k])
        similarity[row] = _compare(
            means[0], means[1], means[2], means[3], a[inner], b[inner], c[inner]
        )
        if slopes.shape[1]:
            for k in range(3):
                _blur_across(padded[k], window, slopes[k, row + RADIUS])


@njit(nogil=True, cache=True, fastmath=_MATH)
def finish_gradient(
    image: FloatArray,  # [H, 3 W]
    target: FloatArray,  # [H, 3 W]
    valid: BoolArray,  # [H, W], or [0, 0]
    slopes: FloatArray,  # [3, H + 2 RADIUS, 3 W], of compare_rows
    window: FloatArray,
    l1_scale: float,
    ssim_scale: float,
    start: int,
    end: int,
    gradient: FloatArray,  # [H, 3 W]
) -> None:
    """Write `l1_scale` sign(x - y) + `ssim_scale` dSSIM/dx; zero where pixels do not count."""
    n = image.shape[1]
    by_mean, by_square = np.empty(n, np.float32), np.empty(n, np.float32)
    by_product = np.empty(n, np.float32)
    l1, ssim = np.float32(l1_scale), np.float32(ssim_scale)
    for row in range(start, end):
        _blur_down(slopes[0], row, window, by_mean)
        _blur_down(slopes[1], row, window, by_square)
        _blur_down(slopes[2], row, window, by_product)
        x, y, out = image[row], target[row], gradient[row]
        for i in range(n):
            sign = (_ONE if x[i] > y[i] else _ZERO) - (_ONE if x[i] < y[i] else _ZERO)
            slope = by_mean[i] + _TWO * x[i] * by_square[i] + y[i] * by_product[i]
            out[i] = l1 * sign + ssim * slope
        if valid.shape[0]:
            for p in range(valid.shape[1]):
                if not valid[row, p]:
                    for i in range(3 * p, 3 * p + 3):
                        out[i] = _ZERO
