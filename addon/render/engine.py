"""The render engines of the helper scenes: a depsgraph in, one layer of splats out.

Blender calls `render` in the render's thread, after the user's scene has been rendered by its own
engine. Chosen as the engine of an ordinary scene they draw its splats alone.
"""

import logging
from dataclasses import dataclass

import bpy
import numpy as np
import numpy.typing as npt

from ..objects import SplatInstance, visible_instances
from .base_picture import BasePicture, BasePictureError, read_base_picture
from .cpu_pictures import cpu_pictures
from .engine_ids import CPU_ENGINE, GPU_ENGINE
from .engine_python import engine_python
from .failure import render_failure
from .gpu_pictures import gpu_pictures
from .merge import Occluder, merge, occluder_of, to_linear
from .reachable import reachable_in_agx
from .render_frame import RenderFrame, frame_of
from .splat_pictures import PictureError, SplatPictures
from .splats_scene import base_scene
from .view_space import shows_agx

__all__ = ["PCGS_RE_splats", "PCGS_RE_splats_cpu"]

log = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """One picture to draw."""

    scene: bpy.types.Scene
    """Whose picture it is (original)."""
    is_helper: bool
    """Whether that scene has been rendered by an engine of its own."""
    camera: bpy.types.Object
    """Evaluated."""
    frame: RenderFrame


class _SplatEngine:
    """What both engines do; they differ in who draws."""

    bl_use_preview = False
    bl_use_eevee_viewport = True

    def update(self, data: bpy.types.BlendData, depsgraph: bpy.types.Depsgraph) -> None:
        """Read the scene's own picture (called by Blender before `render`).

        Here and not there, as Blender draws no windows during this call, so that the main thread
        is free to help.
        """
        scene = depsgraph.scene.original
        base = base_scene(scene)
        self._base: BasePicture | BasePictureError | None = None
        if base is None or base.camera is None or base.camera.type != "CAMERA":
            return
        try:
            clip_end = base.camera.evaluated_get(depsgraph).data.clip_end
            self._base = read_base_picture(base, clip_end)
        except BasePictureError as error:
            self._base = error

    def render(self, depsgraph: bpy.types.Depsgraph) -> None:
        """Draw the splats of one frame (called by Blender)."""
        full_size = (self.resolution_x, self.resolution_y)
        result = self.begin_result(0, 0, *full_size)
        size = (result.resolution_x, result.resolution_y)
        layer = np.zeros((size[1], size[0], 4), np.float32)
        try:
            layer = self._layer(self._job(depsgraph, full_size, size), depsgraph)
            render_failure.clear()
        except (PictureError, BasePictureError) as error:
            self._tell(str(error))
        except MemoryError:
            self._tell("not enough memory; use a lower Render Level or a smaller picture")
        except Exception as error:  # Blender calls this: nobody above could be told
            log.error("rendering splats failed", exc_info=True)
            self._tell(f"unexpected fault ({error}); report it with the lines on Blender's console")
        finally:
            combined = result.layers[0].passes["Combined"]
            combined.rect.foreach_set(np.ascontiguousarray(layer, np.float32).ravel())
            self.end_result(result)

    def _tell(self, text: str) -> None:
        self.report({"ERROR"}, f"PCGS: {text}")
        render_failure.tell(text)

    def _job(
        self, depsgraph: bpy.types.Depsgraph, full_size: tuple[int, int], size: tuple[int, int]
    ) -> _Job:
        scene = depsgraph.scene.original
        base = base_scene(scene) or scene
        # At this moment Blender has already switched the camera by the timeline's markers.
        if base.camera is None:
            raise PictureError(f"scene {base.name} has no camera; add one")
        camera = base.camera.evaluated_get(depsgraph)
        if camera.type != "CAMERA" or camera.data.type == "PANO":
            raise PictureError("splats need a perspective or orthographic camera; choose another")
        return _Job(
            scene=base,
            is_helper=base != scene,
            camera=camera,
            frame=frame_of(base, camera, depsgraph, full_size, size),
        )

    def _layer(self, job: _Job, depsgraph: bpy.types.Depsgraph) -> Floats:
        """Return the layer to put over the scene's own picture."""
        frame = job.frame
        instances = visible_instances(depsgraph, for_render=True)
        if not instances:
            return np.zeros((frame.height, frame.width, 4), np.float32)
        count = sum(len(item.cloud) for item in instances)
        self.update_stats("", f"PCGS: {count:,} splats")
        nothing = np.full((frame.height, frame.width), np.inf, np.float32)
        if not job.is_helper:
            pictures = self._pictures(instances, frame, nothing, with_whole=False)
            return to_linear(pictures.front)
        if not isinstance(self._base, BasePicture):
            raise self._base or BasePictureError("the scene's own picture is missing; render again")
        base = _base_part(self._base, frame)
        film = job.scene.render.film_transparent
        occluder = occluder_of(base, transparent_film=film)
        pictures = self._pictures(
            instances, frame, occluder.depth, with_whole=_is_cut(occluder, base)
        )
        return merge(
            pictures.front,
            pictures.whole,
            base,
            occluder,
            transparent_film=film,
            fit=reachable_in_agx if shows_agx(job.scene) else None,
        )

    def _pictures(
        self,
        instances: list[SplatInstance],
        frame: RenderFrame,
        limits: Floats,
        *,
        with_whole: bool,
    ) -> SplatPictures:
        raise NotImplementedError


class PCGS_RE_splats(_SplatEngine, bpy.types.RenderEngine):
    """Draws on the GPU."""

    bl_idname = GPU_ENGINE
    bl_label = "PCGS Splats"
    bl_use_gpu_context = True

    def _pictures(
        self,
        instances: list[SplatInstance],
        frame: RenderFrame,
        limits: Floats,
        *,
        with_whole: bool,
    ) -> SplatPictures:
        return gpu_pictures(instances, frame, limits, with_whole=with_whole)


class PCGS_RE_splats_cpu(_SplatEngine, bpy.types.RenderEngine):
    """Draws by the engine's process, where a machine has no GPU."""

    bl_idname = CPU_ENGINE
    bl_label = "PCGS Splats (CPU)"
    bl_use_gpu_context = False

    def _pictures(
        self,
        instances: list[SplatInstance],
        frame: RenderFrame,
        limits: Floats,
        *,
        with_whole: bool,
    ) -> SplatPictures:
        python = engine_python()
        return cpu_pictures(
            instances, frame, limits, python.candidate, python.threads, self.test_break
        )


def _is_cut(occluder: Occluder, base: BasePicture) -> bool:
    """Whether splats shine through half covered pixels."""
    return occluder.has_edges and bool(np.isfinite(base.depth).any())


def _base_part(base: BasePicture, frame: RenderFrame) -> BasePicture:
    """Return the part of the scene's picture that is rendered (a region may be set)."""
    height, width = base.depth.shape
    if (width, height) == (frame.width, frame.height):
        return base
    rows = slice(frame.bottom, frame.bottom + frame.height)
    columns = slice(frame.left, frame.left + frame.width)
    part = base.depth[rows, columns]
    if part.shape != (frame.height, frame.width):
        raise BasePictureError(
            f"the render result has {width} x {height} pixels, wanted at least "
            f"{frame.left + frame.width} x {frame.bottom + frame.height}; render again"
        )
    environment = base.environment
    return BasePicture(
        color=base.color[rows, columns],
        depth=part,
        environment=None if environment is None else environment[rows, columns],
    )
