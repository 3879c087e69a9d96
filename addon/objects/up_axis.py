"""Which way is up in a file, and the rotation that brings it to Blender's +Z.

Files keep the coordinates of their image set (docs/conventions.md): y down where COLMAP made the
poses, z up where a transforms.json did. A file may say so in its metadata: `"up": [x, y, z]`.
"""

import enum
import math

import numpy as np
import numpy.typing as npt
from mathutils import Quaternion, Vector

__all__ = ["AXIS_ITEMS", "UpAxis", "guess_up", "rotation_to_z", "up_in_metadata"]


class UpAxis(enum.Enum):
    """Choices of the import dialog; the value is the direction, None where it is looked for."""

    AUTO = None
    POSITIVE_Z = (0.0, 0.0, 1.0)
    NEGATIVE_Y = (0.0, -1.0, 0.0)
    POSITIVE_Y = (0.0, 1.0, 0.0)
    NEGATIVE_Z = (0.0, 0.0, -1.0)
    POSITIVE_X = (1.0, 0.0, 0.0)
    NEGATIVE_X = (-1.0, 0.0, 0.0)


AXIS_ITEMS = (
    ("AUTO", "From File", "As the file says; else judged by where its cameras stood"),
    ("POSITIVE_Z", "+Z", "Coordinates as they are: transforms.json, Blender, most CAD"),
    ("NEGATIVE_Y", "-Y", "COLMAP and OpenCV: y points down"),
    ("POSITIVE_Y", "+Y", "OpenGL, glTF: y points up"),
    ("NEGATIVE_Z", "-Z", "z points down"),
    ("POSITIVE_X", "+X", "x points up"),
    ("NEGATIVE_X", "-X", "x points down"),
)


def up_in_metadata(metadata: dict[str, object]) -> Vector | None:
    """Return the file's own up direction, unit length; None where it says nothing sensible."""
    entry = metadata.get("up")
    if not isinstance(entry, list) or len(entry) != 3:
        return None
    if not all(type(value) in (int, float) and math.isfinite(value) for value in entry):
        return None
    vector = Vector([float(value) for value in entry])
    return vector.normalized() if 1e-6 < vector.length < 1e6 else None


def guess_up(
    cameras: npt.NDArray[np.float32],  # [V, 3]
) -> Vector:
    """Guess from camera centres: people walk round things, so cameras vary least in height.

    Only the two usual worlds are considered. Without cameras: +Z, which changes nothing.
    """
    if len(cameras) < 3:
        return Vector(UpAxis.POSITIVE_Z.value)
    spread = cameras.astype(np.float64).var(axis=0)
    axis = UpAxis.NEGATIVE_Y if spread[1] < spread[2] else UpAxis.POSITIVE_Z
    return Vector(axis.value)


def rotation_to_z(up: Vector) -> Quaternion:
    """Return the smallest rotation that brings `up` to +Z."""
    if (up - Vector((0.0, 0.0, -1.0))).length < 1e-6:
        return Quaternion((1.0, 0.0, 0.0), math.pi)  # opposite vectors have no smallest one
    return up.rotation_difference(Vector((0.0, 0.0, 1.0)))
