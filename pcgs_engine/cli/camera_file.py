"""The JSON file that names one camera: path in, `Camera` out."""

import json
import math
from pathlib import Path

import numpy as np

from ..errors import ConfigError
from ..scene.camera import Camera

__all__ = ["read_camera"]

INTEGERS = ("width", "height")
NUMBERS = ("fx", "fy", "cx", "cy")
SIZE_MAX = 65_536
"""Pixels along a side."""
RIGID_TOLERANCE = 1e-4
"""How far the rotation times its transpose may be from the identity."""


def read_camera(path: Path) -> Camera:
    """Read `{"width", "height", "fx", "fy", "cx", "cy", "world_to_camera"}`.

    The matrix is 4 x 4, rows first, with OpenCV's camera axes (docs/conventions.md).

    Raises:
        ConfigError: unreadable, or a value is missing or out of range.
    """
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"{path}: cannot be read ({reason}); check the path") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not JSON ({error})") from error
    wanted = {*INTEGERS, *NUMBERS, "world_to_camera"}
    if not isinstance(body, dict) or set(body) != wanted:
        found = sorted(body) if isinstance(body, dict) else type(body).__name__
        raise ConfigError(f"{path}: found {found}, wanted an object with {sorted(wanted)}")
    width, height = (_pixels(path, name, body[name]) for name in INTEGERS)
    fx, fy, cx, cy = (_number(path, name, body[name]) for name in NUMBERS)
    if fx <= 0.0 or fy <= 0.0:
        raise ConfigError(f"{path}: fx, fy are {fx}, {fy}, wanted numbers above 0")
    return Camera(
        width=width,
        height=height,
        fx=fx,
        fy=fy,
        cx=cx,
        cy=cy,
        world_to_camera=_pose(path, body["world_to_camera"]),
    )


def _pixels(path: Path, name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= SIZE_MAX:
        raise ConfigError(f"{path}: {name} is {value!r}, wanted a whole number 1..{SIZE_MAX}")
    return value


def _number(path: Path, name: str, value: object) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        raise ConfigError(f"{path}: {name} is {value!r}, wanted a finite number")
    return float(value)


def _pose(path: Path, value: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    try:
        pose = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        pose = np.zeros(0)
    rotation = pose[:3, :3] if pose.shape == (4, 4) else np.zeros((3, 3))
    error = np.abs(rotation @ rotation.T - np.eye(3)).max()
    if not (error <= RIGID_TOLERANCE and np.isfinite(pose).all()):
        raise ConfigError(
            f"{path}: world_to_camera is no rigid 4 x 4 matrix; take scale out of the camera"
        )
    return pose
