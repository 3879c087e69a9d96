"""Camera poses of camera files -> checked rigid `world_to_camera` (docs/conventions.md)."""

import numpy as np
import numpy.typing as npt

from ..errors import SceneError

__all__ = ["camera_from_opengl", "camera_from_quaternion", "rotation_from_quaternion"]

RIGID_TOLERANCE = 1e-2
"""Largest accepted |RᵀR - I| or ||q| - 1|: covers files printed with few digits."""


def rotation_from_quaternion(
    quaternion: npt.NDArray[np.float64],  # [4], w x y z
) -> npt.NDArray[np.float64]:
    """Return the rotation matrix `[3, 3]` of a unit quaternion (w x y z, Hamilton)."""
    w, x, y, z = (float(value) for value in quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def camera_from_quaternion(
    quaternion: tuple[float, ...], translation: tuple[float, ...], place: str
) -> npt.NDArray[np.float64]:
    """Return `world_to_camera` of COLMAP's rotation and translation.

    Args:
        quaternion: w x y z, world to camera.
        translation: world to camera, world units.
        place: file and image name for messages.

    Raises:
        SceneError: a value is not finite or the quaternion is not of unit length.
    """
    numbers = np.array((*quaternion, *translation), dtype=np.float64)
    if not np.isfinite(numbers).all():
        raise SceneError(f"{place}: pose is {numbers.tolist()}, wanted finite numbers; {_REMEDY}")
    norm = float(np.linalg.norm(numbers[:4]))
    if abs(norm - 1) > RIGID_TOLERANCE:
        raise SceneError(f"{place}: quaternion has length {norm:.4g}, wanted 1; {_REMEDY}")
    pose = np.eye(4)
    pose[:3, :3] = rotation_from_quaternion(numbers[:4] / norm)
    pose[:3, 3] = numbers[4:]
    return pose


def camera_from_opengl(matrix: object, place: str) -> npt.NDArray[np.float64]:
    """Return `world_to_camera` (OpenCV axes) of a camera-to-world matrix with OpenGL axes.

    Args:
        matrix: nested lists `[4][4]` or `[3][4]` as parsed from JSON.
        place: file and frame name for messages.

    Raises:
        SceneError: not such a matrix, not finite, or not a rigid transform.
    """
    camera_to_world = _parse_matrix(matrix, place)
    rotation = camera_to_world[:3, :3]
    deviation = float(np.abs(rotation.T @ rotation - np.eye(3)).max())
    last_row = float(np.abs(camera_to_world[3] - (0, 0, 0, 1)).max())
    if deviation > RIGID_TOLERANCE or last_row > RIGID_TOLERANCE:
        raise SceneError(
            f"{place}: transform_matrix is not rigid (off by {max(deviation, last_row):.3g}), "
            f"wanted a rotation and a translation; {_REMEDY}"
        )
    if np.linalg.det(rotation) < 0:
        raise SceneError(
            f"{place}: transform_matrix mirrors (determinant -1), wanted a rotation; {_REMEDY}"
        )
    left, _, right = np.linalg.svd(rotation)
    opencv = (left @ right) * (1.0, -1.0, -1.0)
    pose = np.eye(4)
    pose[:3, :3] = opencv.T
    pose[:3, 3] = -opencv.T @ camera_to_world[:3, 3]
    return pose


_REMEDY = "correct or remove this entry"


def _parse_matrix(matrix: object, place: str) -> npt.NDArray[np.float64]:
    """Return `matrix` as finite `[4, 4]` numbers."""
    try:
        numbers = np.array(matrix, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise SceneError(
            f"{place}: transform_matrix is not made of numbers, wanted 4 rows of 4; {_REMEDY}"
        ) from error
    if numbers.shape == (3, 4):
        numbers = np.vstack([numbers, (0.0, 0.0, 0.0, 1.0)])
    if numbers.shape != (4, 4):
        raise SceneError(
            f"{place}: transform_matrix has shape {list(numbers.shape)}, wanted [4, 4]; {_REMEDY}"
        )
    if not np.isfinite(numbers).all():
        raise SceneError(
            f"{place}: transform_matrix holds NaN or infinity, wanted finite numbers; {_REMEDY}"
        )
    return numbers
