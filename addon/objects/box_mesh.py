"""The mesh of a splat object: the bounds of its splats as 8 corners and 12 edges, no faces.

With it an object frames, selects, hides, duplicates and links like any other, and renders nothing
by itself.
"""

import bpy
import numpy as np
import numpy.typing as npt

from ..files import Bounds

__all__ = ["EMPTY_BOUNDS", "make_box", "update_box"]

EMPTY_BOUNDS = Bounds(low=np.full(3, -1.0, np.float32), high=np.full(3, 1.0, np.float32))
"""What is shown until level 1 is there."""

_CORNERS = np.array([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)], dtype=np.float32)
_EDGES = tuple((a, a | bit) for bit in (1, 2, 4) for a in range(8) if not a & bit)


def make_box(name: str) -> bpy.types.Mesh:
    """Create the mesh with `EMPTY_BOUNDS`."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(_corners(EMPTY_BOUNDS).tolist(), _EDGES, [])
    mesh.update()
    return mesh


def update_box(mesh: bpy.types.Mesh, bounds: Bounds) -> bool:
    """Give the box new bounds; returns whether anything changed."""
    if len(mesh.vertices) != len(_CORNERS):
        return False  # edited by the user: theirs now
    wanted = _corners(bounds)
    present = np.empty(wanted.size, dtype=np.float32)
    mesh.vertices.foreach_get("co", present)
    if np.array_equal(present, wanted.ravel()):
        return False
    mesh.vertices.foreach_set("co", wanted.ravel())
    mesh.update()
    return True


def _corners(bounds: Bounds) -> npt.NDArray[np.float32]:
    """Return the corners, `[8, 3] float32`."""
    return np.asarray(bounds.low + _CORNERS * (bounds.high - bounds.low), dtype=np.float32)
