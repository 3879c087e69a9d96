"""A scene: posed views, split into training and held-out ones, and sparse points."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .camera import Camera

__all__ = ["Distortion", "Scene", "View"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distortion:
    """OpenCV lens model of the stored image; the view's camera is already undistorted.

    `coefficients` follow OpenCV's order k1 k2 p1 p2 k3 k4 k5 k6 (missing ones are 0).
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    coefficients: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One image and its camera at the size used for training (after `max_size`)."""

    name: str
    """Image path relative to the scene folder, with forward slashes."""
    image_path: Path
    mask_path: Path | None
    camera: Camera
    distortion: Distortion | None
    """Lens model of the stored file, or None when it is a pinhole image already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What `load_scene` returns: nothing but numbers and paths; images load on demand."""

    path: Path
    kind: str
    """`colmap` or `transforms`: what was found in the folder."""
    train_views: tuple[View, ...]
    test_views: tuple[View, ...]
    points: npt.NDArray[np.float32]
    """Sparse points in world coordinates, `[P, 3]`."""
    point_colors: npt.NDArray[np.uint8]
    """RGB of the points, `[P, 3]`, 0..255, sRGB."""
    background: tuple[float, float, float]
    """Colour in 0..1 behind images with alpha."""
    warnings: tuple[str, ...]
    """What the loader did that the user should know (skipped files, made-up points, ...)."""

    @property
    def extent(self) -> float:
        """1.1 x the largest distance of a training camera from their mean, in world units.

        Source: facts §1.4 (`spatial_lr_scale`). Never below 1e-3.
        """
        centres = np.stack([view.camera.centre for view in self.train_views])
        distances = np.linalg.norm(centres - centres.mean(axis=0), axis=1)
        return max(1.1 * float(distances.max()), 1e-3)
