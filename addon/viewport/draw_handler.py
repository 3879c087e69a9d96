"""The draw handler of the 3D views: what the context shows in, splats over Blender's picture out.

Each splat is tested against a copy of the view's depth buffer, so a mesh inside a cloud hides what
is behind it and is veiled by what is before it, pixel by pixel and splat by splat. One depth per
pixel, written by the composite, would put all of a pixel's splats on one side of the mesh.
"""

import logging

import bpy
import gpu
import numpy as np

from ..objects import visible_instances
from ..preferences import preferences
from .redraw_timer import ensure_timers
from .screen_area import WHOLE
from .session import viewport_session
from .textures import UploadError
from .view_parameters import ViewParameters
from .view_picture import DepthCopy

__all__ = ["composite", "draw_view", "paint_view"]

log = logging.getLogger(__name__)


def draw_view() -> None:
    """Draw the splats of the 3D view that is being drawn (POST_VIEW)."""
    if viewport_session.failed:
        return
    try:
        paint_view(bpy.context)
    except UploadError as error:
        viewport_session.notice = f"No GPU memory for splats ({error}). Choose a lower Level"
    except Exception as error:
        # Blender would print the same traceback at every redraw; once is enough.
        log.error("drawing splats failed", exc_info=True)
        viewport_session.failed = True
        viewport_session.notice = f"Splats cannot be drawn ({error}). Open the .blend again"


def paint_view(context: bpy.types.Context) -> None:
    """Draw the splats a context shows into the framebuffer that is bound; errors come out."""
    space = context.space_data
    if space.shading.type == "WIREFRAME":
        return  # like meshes, a cloud is then only its edges: the box
    instances = visible_instances(context, for_render=False, viewport=space)
    if not instances:
        return
    view = ViewParameters.from_matrices(
        gpu.matrix.get_model_view_matrix(), gpu.matrix.get_projection_matrix()
    )
    x, y, width, height = gpu.state.viewport_get()
    framebuffer = gpu.state.active_framebuffer_get()
    depth = _copy_depth(framebuffer, (x, y, width, height))
    supplied = viewport_session.supply.supply(instances, preferences(context).splat_budget)
    viewport_session.say(supplied)
    picture = viewport_session.picture(context.region.as_pointer())
    try:
        texture = picture.update(supplied.instances, view, (width, height), depth)
    except UploadError:
        viewport_session.make_smaller(supplied)
        ensure_timers()
        raise
    if texture is not None:
        composite(texture, picture.area)
    ensure_timers()


def composite(
    picture: gpu.types.GPUTexture, area: tuple[float, float, float, float] = WHOLE
) -> None:
    """Put a picture over what is in the framebuffer that is bound.

    `area` (left, bottom, right, top; 0..1) is where the picture has splats: a software rasterizer
    takes ten milliseconds for a whole window.
    """
    shader = viewport_session.painter.shaders.composite()
    depth_test = gpu.state.depth_test_get()
    blend = gpu.state.blend_get()
    gpu.state.depth_test_set("NONE")
    gpu.state.depth_mask_set(False)
    gpu.state.blend_set("ALPHA_PREMULT")
    try:
        shader.bind()
        shader.uniform_float("area", area)
        shader.uniform_sampler("picture_tex", picture)
        viewport_session.painter.shaders.square_batch().draw(shader)
    finally:
        gpu.state.depth_test_set(depth_test)
        gpu.state.blend_set(blend)


def _copy_depth(
    framebuffer: gpu.types.GPUFrameBuffer, area: tuple[int, int, int, int]
) -> DepthCopy:
    x, y, width, height = area
    buffer = gpu.types.Buffer("FLOAT", width * height)
    framebuffer.read_depth(x, y, width, height, data=buffer)
    values = np.frombuffer(buffer, dtype=np.float32)
    if not values.any():
        # Vulkan before 4.5 (experimental there) reads nothing: better unhidden than invisible.
        return DepthCopy.empty(width * height)
    return DepthCopy(buffer=buffer, values=values)
