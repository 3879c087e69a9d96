"""A scanned view in, Blender's camera settings out; axes and pixels: docs/conventions.md."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .scene_scan import ScannedView

__all__ = ["SENSOR_WIDTH", "BlenderCamera", "blender_camera"]

SENSOR_WIDTH = 36.0
"""Millimetres across the image; any value gives the same picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlenderCamera:
    """Settings of a perspective camera with horizontal sensor fit."""

    matrix: npt.NDArray[np.float64]
    """Camera to world, `[4, 4]`; Blender's cameras look along -z with y up."""
    lens: float
    """Millimetres."""
    shift_x: float
    shift_y: float


def blender_camera(view: ScannedView) -> BlenderCamera:
    """Convert one view; fy is taken to equal fx, as Blender keeps pixel shape per scene."""
    to_world = np.linalg.inv(view.world_to_camera)
    # OpenCV has y down and z forward.
    matrix = to_world @ np.diag([1.0, -1.0, -1.0, 1.0])
    return BlenderCamera(
        matrix=matrix,
        lens=view.fx / view.width * SENSOR_WIDTH,
        # Both shifts are in units of the image width; a shifted lens moves the picture the
        # other way.
        shift_x=(0.5 * view.width - view.cx) / view.width,
        shift_y=(view.cy - 0.5 * view.height) / view.width,
    )
