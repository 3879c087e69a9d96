"""ViewParameters: from where splats are seen; made of the matrices of a viewport or camera."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["ViewParameters"]

Matrix4 = npt.NDArray[np.float64]

ORTHO_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewParameters:
    """A view with Blender's axes: the camera looks along -Z, Y is up."""

    view_matrix: Matrix4
    """World to camera `[4, 4]`, rigid, acts on columns."""
    projection_matrix: Matrix4
    """Camera to clip space `[4, 4]`, OpenGL's depth range; lens shift included."""
    is_ortho: bool

    @classmethod
    def from_matrices(cls, view_matrix: object, projection_matrix: object) -> "ViewParameters":
        """Take matrices as Blender gives them (mathutils or arrays) and tell the kind of view."""
        projection = np.array(projection_matrix, dtype=np.float64)
        return cls(
            view_matrix=np.array(view_matrix, dtype=np.float64),
            projection_matrix=projection,
            is_ortho=bool(abs(projection[3, 3] - 1.0) < ORTHO_TOLERANCE),
        )

    @property
    def eye(self) -> npt.NDArray[np.float64]:
        """Camera centre in the world, `[3]`."""
        rotation = self.view_matrix[:3, :3]
        return np.linalg.solve(rotation, -self.view_matrix[:3, 3])

    @property
    def direction(self) -> npt.NDArray[np.float64]:
        """Unit viewing direction in the world, `[3]`."""
        forward = np.linalg.solve(self.view_matrix[:3, :3], np.array([0.0, 0.0, -1.0]))
        return forward / np.linalg.norm(forward)

    def window_depth(
        self,
        depth: npt.NDArray[np.floating],  # [...] distance along the viewing direction
    ) -> npt.NDArray[np.float32]:
        """Return the depth buffer's values, 0 at the near and 1 at the far clip plane (clamped)."""
        p = self.projection_matrix
        # Renders say 1e10 where there is nothing; in float64 that is still a number.
        z = -np.asarray(depth, dtype=np.float64)
        clip = p[2, 2] * z + p[2, 3]
        w = p[3, 2] * z + p[3, 3]
        with np.errstate(divide="ignore", invalid="ignore"):
            window = 0.5 + 0.5 * clip / w
        return np.nan_to_num(np.clip(window, 0.0, 1.0), nan=1.0).astype(np.float32)
