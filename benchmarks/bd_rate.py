"""BD-rate: two curves of bytes and PSNR in, the mean difference in bytes at equal PSNR out.

Source: Bjøntegaard, VCEG-M33 (2001), with monotone cubic (PCHIP) instead of polynomial fits, as in
the JCT-VC and AOM common test conditions.
"""

from collections.abc import Sequence

import numpy as np
from scipy.interpolate import PchipInterpolator

__all__ = ["bd_rate", "bytes_at", "frontier"]

Curve = Sequence[tuple[float, float]]
"""Bytes and PSNR of each point."""


def frontier(points: Curve) -> list[tuple[float, float]]:
    """Return the points that no smaller one equals or beats, by rising bytes."""
    best: list[tuple[float, float]] = []
    for size, quality in sorted(points, key=lambda point: (point[0], -point[1])):
        if not best or quality > best[-1][1]:
            best.append((size, quality))
    return best


def bd_rate(curve: Curve, reference: Curve) -> float | None:
    """Return by how many per cent `curve` is larger than `reference`; negative is better.

    None where one has fewer than two points on its frontier or their PSNR ranges do not overlap.
    """
    own, other = _log_bytes(curve), _log_bytes(reference)
    if own is None or other is None:
        return None
    low, high = max(own.x[0], other.x[0]), min(own.x[-1], other.x[-1])
    if low >= high:
        return None
    mean = (own.integrate(low, high) - other.integrate(low, high)) / (high - low)
    return float(100 * np.expm1(mean))


def bytes_at(curve: Curve, quality: float) -> float | None:
    """Return the bytes at which a curve reaches a PSNR; None where it does not.

    Below its first point the first point's size is returned: nothing smaller is known.
    """
    points = frontier(curve)
    if not points or quality > points[-1][1]:
        return None
    if quality <= points[0][1]:
        return points[0][0]
    found = _log_bytes(points)
    return None if found is None else float(np.exp(found(quality)))


def _log_bytes(points: Curve) -> PchipInterpolator | None:
    """Return log bytes as a function of PSNR."""
    best = frontier(points)
    if len(best) < 2:
        return None
    sizes, qualities = np.array(best).T
    return PchipInterpolator(qualities, np.log(sizes))
