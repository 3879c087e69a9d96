"""Lens distortion: resampling maps from the stored image to the pinhole image of the same size.

The pinhole keeps fx, fy, cx, cy of the lens; pixels that see nothing of the stored image, or lie
where the lens model folds back on itself, are reported as invalid.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .scene import Distortion

__all__ = ["UndistortMap", "undistort", "undistort_map"]

_RADIUS_SAMPLES = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class UndistortMap:
    """Where each pinhole pixel comes from."""

    x: npt.NDArray[np.float32]
    """Source column `[H, W]`, first pixel centre at 0 (OpenCV's convention)."""
    y: npt.NDArray[np.float32]
    """Source row `[H, W]`."""
    valid: npt.NDArray[np.bool_]
    """Pixels with a source inside the stored image, `[H, W]`."""


def undistort_map(lens: Distortion) -> UndistortMap:
    """Return the resampling map of `lens` at the size of the stored image."""
    # OpenCV counts from the first pixel's centre, we from its corner (docs/conventions.md).
    intrinsics = np.array(
        [[lens.fx, 0.0, lens.cx - 0.5], [0.0, lens.fy, lens.cy - 0.5], [0.0, 0.0, 1.0]]
    )
    coefficients = np.zeros(8)
    coefficients[: len(lens.coefficients)] = lens.coefficients
    size = (lens.width, lens.height)
    x, y = cv2.initUndistortRectifyMap(
        intrinsics, coefficients, None, intrinsics, size, cv2.CV_32FC1
    )
    inside = (x >= -0.5) & (x <= lens.width - 0.5) & (y >= -0.5) & (y <= lens.height - 0.5)
    return UndistortMap(
        x=_bounded(x, lens.width),
        y=_bounded(y, lens.height),
        valid=inside & _before_fold(lens, coefficients),
    )


def undistort(
    image: npt.NDArray[np.float32],  # [H, W] or [H, W, C]
    mapping: UndistortMap,
) -> npt.NDArray[np.float32]:
    """Return the pinhole image, cubic interpolation; invalid pixels repeat the nearest edge."""
    resampled = cv2.remap(
        image, mapping.x, mapping.y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(resampled, dtype=np.float32)


def _bounded(places: npt.NDArray[np.float32], side: int) -> npt.NDArray[np.float32]:
    """Return `places` without NaN and not far outside: OpenCV's remap takes integers of them."""
    return np.asarray(np.clip(np.nan_to_num(places), -side, 2 * side), dtype=np.float32)


def _before_fold(
    lens: Distortion,
    coefficients: npt.NDArray[np.float64],  # [8]
) -> npt.NDArray[np.bool_]:
    """Return the pixels `[H, W]` inside the radius where distortion still grows outwards."""
    x2 = ((np.arange(lens.width) + 0.5 - lens.cx) / lens.fx) ** 2
    y2 = ((np.arange(lens.height) + 0.5 - lens.cy) / lens.fy) ** 2
    radius = np.linspace(0, np.sqrt(x2.max() + y2.max()), _RADIUS_SAMPLES)
    k1, k2, _, _, k3, k4, k5, k6 = coefficients
    r2 = radius**2
    numerator = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    denominator = 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        falling = ~(np.diff(radius * numerator / denominator) > 0)
    if not falling.any():
        return np.ones((lens.height, lens.width), dtype=np.bool_)
    limit = float(radius[int(np.argmax(falling))])
    return np.asarray(x2[None, :] + y2[:, None] <= limit**2)
