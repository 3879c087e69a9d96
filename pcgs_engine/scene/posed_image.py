"""What every camera-file reader returns: stored images with lens and pose, and sparse points."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .scene import Distortion

__all__ = ["PosedImage", "PosedSet"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PosedImage:
    """One image file as the camera file describes it; the file itself was not opened yet."""

    image_path: Path
    mask_path: Path | None
    lens: Distortion
    """Intrinsics and distortion in pixels of `lens.width` x `lens.height`."""
    world_to_camera: npt.NDArray[np.float64]
    """Rigid transform `[4, 4]`, OpenCV axes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PosedSet:
    """One image set as its camera files describe it."""

    kind: str
    """`colmap` or `transforms`."""
    train: tuple[PosedImage, ...]
    test: tuple[PosedImage, ...] | None
    """Held-out images where the set names them, else None."""
    points: npt.NDArray[np.float32]
    """`[P, 3]`, world coordinates; P may be 0."""
    colors: npt.NDArray[np.uint8]
    """`[P, 3]`, sRGB."""
    warnings: tuple[str, ...]
