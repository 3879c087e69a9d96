"""What part of which view is rendered: scene, camera and sizes in, `RenderFrame` out."""

from dataclasses import dataclass

import bpy
import numpy as np
import numpy.typing as npt

from ..viewport.view_parameters import ViewParameters

__all__ = ["RenderFrame", "clip_range", "cropped", "frame_of"]

Matrix4 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderFrame:
    """The rendered rectangle (the whole picture or a render region) and its view."""

    view: ViewParameters
    width: int
    """Pixels of the rectangle."""
    height: int
    left: int
    """Its place in the whole picture."""
    bottom: int


def frame_of(
    scene: bpy.types.Scene,
    camera: bpy.types.Object,
    depsgraph: bpy.types.Depsgraph,
    full_size: tuple[int, int],
    size: tuple[int, int],
) -> RenderFrame:
    """Return the frame of a render.

    Args:
        scene: the user's scene: pixel aspect and render region.
        camera: evaluated.
        depsgraph: of the render.
        full_size: of the picture without region.
        size: of the result to fill; smaller than the picture where a region is set.
    """
    render = scene.render
    projection = camera.calc_matrix_camera(
        depsgraph,
        x=full_size[0],
        y=full_size[1],
        scale_x=render.pixel_aspect_x,
        scale_y=render.pixel_aspect_y,
    )
    left = bottom = 0
    if render.use_border and size != full_size:
        # Truncated as Blender does; never beyond the picture.
        left = min(int(render.border_min_x * full_size[0]), full_size[0] - size[0])
        bottom = min(int(render.border_min_y * full_size[1]), full_size[1] - size[1])
    matrix = np.array(projection, dtype=np.float64)
    # Splats are not scaled by the camera: Blender ignores a camera's scale too.
    view_matrix = camera.matrix_world.normalized().inverted()
    return RenderFrame(
        view=ViewParameters.from_matrices(
            view_matrix, cropped(matrix, full_size, (left, bottom), size)
        ),
        width=size[0],
        height=size[1],
        left=left,
        bottom=bottom,
    )


def cropped(
    projection: Matrix4,
    full_size: tuple[int, int],
    corner: tuple[int, int],
    size: tuple[int, int],
) -> Matrix4:
    """Return the projection whose clip space is a rectangle of the given one's, in pixels."""
    zoom = np.eye(4)
    for axis in (0, 1):
        share = full_size[axis] / size[axis]
        middle = (2.0 * corner[axis] + size[axis]) / full_size[axis] - 1.0
        zoom[axis, axis] = share
        zoom[axis, 3] = -middle * share
    return zoom @ projection


def clip_range(view: ViewParameters) -> tuple[float, float]:
    """Return the distances of the near and the far clip plane."""
    p = view.projection_matrix
    if view.is_ortho:
        return (p[2, 3] + 1.0) / p[2, 2], (p[2, 3] - 1.0) / p[2, 2]
    return p[2, 3] / (p[2, 2] - 1.0), p[2, 3] / (p[2, 2] + 1.0)
