"""A pinhole camera: intrinsics in pixels and one rigid pose. Axes: see docs/conventions.md."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Camera"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """Intrinsics and pose of one undistorted view.

    Pixel centres lie at .5; camera axes are OpenCV's (x right, y down, z forward).
    """

    width: int
    """Image width in pixels, >= 1."""
    height: int
    """Image height in pixels, >= 1."""
    fx: float
    """Focal length in pixels along x, > 0."""
    fy: float
    """Focal length in pixels along y, > 0."""
    cx: float
    """Principal point in pixels from the left edge."""
    cy: float
    """Principal point in pixels from the top edge."""
    world_to_camera: npt.NDArray[np.float64]
    """Rigid transform `[4, 4]`, world to camera."""

    @property
    def centre(self) -> npt.NDArray[np.float64]:
        """Camera centre in world coordinates, `[3]`."""
        rotation = self.world_to_camera[:3, :3]
        return np.asarray(-rotation.T @ self.world_to_camera[:3, 3])

    @property
    def intrinsics(self) -> npt.NDArray[np.float64]:
        """Intrinsic matrix `[3, 3]` in pixels."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def resized(self, width: int, height: int) -> "Camera":
        """Return the same view with an image of `width` x `height` pixels."""
        sx, sy = width / self.width, height / self.height
        return Camera(
            width=width,
            height=height,
            fx=self.fx * sx,
            fy=self.fy * sy,
            cx=self.cx * sx,
            cy=self.cy * sy,
            world_to_camera=self.world_to_camera,
        )
