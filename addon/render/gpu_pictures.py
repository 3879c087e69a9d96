"""Splats for a render, drawn by the GPU: instances and a frame in, `SplatPictures` out."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..objects import SplatInstance
from ..viewport.draw_splats import draw_splats
from ..viewport.painter import Painter
from ..viewport.textures import UploadError
from .render_frame import RenderFrame
from .splat_pictures import PictureError, SplatPictures

__all__ = ["gpu_pictures"]

FAR = np.float32(1e10)
"""What render engines write where there is nothing; an infinite depth would become NaN."""


def gpu_pictures(
    instances: Sequence[SplatInstance],
    frame: RenderFrame,
    limits: npt.NDArray[np.float32],  # [H, W]
    *,
    with_whole: bool,
) -> SplatPictures:
    """Draw; needs a GPU context, which a RenderEngine with `bl_use_gpu_context` has.

    Raises:
        PictureError: the GPU has no room.
    """
    size = (frame.width, frame.height)
    # Of its own: the viewport's painter belongs to another context and thread.
    painter = Painter()
    try:
        front = draw_splats(
            instances,
            frame.view,
            *size,
            with_depth=False,
            scene_depth=np.minimum(limits, FAR),
            painter=painter,
        ).color
        whole = front
        if with_whole:
            whole = draw_splats(
                instances, frame.view, *size, with_depth=False, painter=painter
            ).color
    except UploadError as error:
        raise PictureError(f"{error}; use a lower Render Level or a smaller picture") from error
    finally:
        painter.free()
    return SplatPictures(front=front, whole=whole)
