"""exp, sigmoid and softplus of one float32, fast enough to sit in inner loops of kernels.

x = n ln 2 + r with |r| <= ln 2 / 2: a polynomial of r times a table of powers of two. Relative
error below 3e-7 over the whole range; NaN stays NaN.
"""

import numpy as np
from numba import njit

__all__ = ["exp32", "sigmoid32", "softplus32"]

_POWERS = np.array([2.0**n for n in range(-127, 128)], np.float32)
_LOG2_E = np.float32(1.4426950408889634)
# ln 2 in two parts, the first exact in few bits, so that x - n ln 2 is exact (Cody and Waite)
_LN2_HIGH = np.float32(0.693359375)
_LN2_LOW = np.float32(-2.12194440e-4)
_ZERO = np.float32(0.0)
_ONE = np.float32(1.0)
_HALF = np.float32(0.5)
_LOW = np.float32(-87.0)
_HIGH = np.float32(88.0)
# Taylor terms 1/k!: at |r| = 0.347 the first one left out is below 6e-9
_C2, _C3, _C4, _C5, _C6, _C7 = (np.float32(1 / f) for f in (2.0, 6.0, 24.0, 120.0, 720.0, 5040.0))
_S3, _S5, _S7, _S9, _S11, _S13 = (np.float32(2.0 / k) for k in (3, 5, 7, 9, 11, 13))


@njit(nogil=True, cache=True)
def exp32(x: np.float32) -> np.float32:
    """Return exp(x); 0 below -87, infinity above 88."""
    if x != x:
        return x
    if x < _LOW:
        return _ZERO
    if x > _HIGH:
        return np.float32(np.inf)
    n = np.int32(np.floor(x * _LOG2_E + _HALF))
    part = np.float32(n)
    r = np.float32(np.float32(x - part * _LN2_HIGH) - part * _LN2_LOW)
    value = _C7 * r + _C6
    value = value * r + _C5
    value = value * r + _C4
    value = value * r + _C3
    value = value * r + _C2
    value = (value * r + _ONE) * r + _ONE
    return np.float32(value * _POWERS[n + 127])


@njit(nogil=True, cache=True)
def sigmoid32(x: np.float32) -> np.float32:
    """Return 1 / (1 + exp(-x))."""
    return np.float32(_ONE / (_ONE + exp32(-x)))


@njit(nogil=True, cache=True)
def softplus32(x: np.float32) -> np.float32:
    """Return log(1 + exp(x)).

    log(1 + u) = 2 artanh(u / (2 + u)) with u in [0, 1]: the series is short and exact near 0.
    """
    u = exp32(-abs(x))
    s = np.float32(u / (np.float32(2.0) + u))
    square = s * s
    value = _S13 * square + _S11
    value = value * square + _S9
    value = value * square + _S7
    value = value * square + _S5
    value = value * square + _S3
    value = value * square + np.float32(2.0)
    return np.float32(max(x, _ZERO) + s * value)
