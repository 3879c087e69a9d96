"""What is to be drawn: a context or depsgraph in, one `SplatInstance` per visible splat object out.

Levels, transforms and visibility come from the evaluated depsgraph, so keyframes, constraints,
collection instances and library overrides count. Nothing here writes to Blender's data.
"""

from dataclasses import dataclass

import bpy
import numpy as np
import numpy.typing as npt

from pcgs_engine.splats import SplatCloud

from ..files import CloudKey, LevelCloud
from .file_of_object import file_of_object, is_splats

__all__ = ["SplatInstance", "visible_instances"]

RENDER_WAIT_SECONDS = 600.0
"""How long a render waits for a level to be decoded before it takes what is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplatInstance:
    """One visible appearance of a splat cloud."""

    cloud: SplatCloud
    key: CloudKey
    """Names the cloud; equal for all objects that show the same level of the same file."""
    matrix_world: npt.NDArray[np.float64]  # [4, 4]
    object_name: str
    """Name of the original object (for messages)."""


def visible_instances(
    context_or_depsgraph: bpy.types.Context | bpy.types.Depsgraph,
    *,
    for_render: bool,
    viewport: bpy.types.SpaceView3D | None = None,
) -> list[SplatInstance]:
    """Return the splats to draw.

    Args:
        context_or_depsgraph: in a render pass the render's depsgraph: it honours render visibility.
        for_render: take `render_level` and wait until it is decoded, instead of taking `level`
            as far as it is ready.
        viewport: the 3D view that is drawn; its local view, local collections and object type
            filter count.
    """
    depsgraph = _depsgraph_of(context_or_depsgraph)
    if viewport is not None and not viewport.show_object_viewport_mesh:
        return []
    found = []
    for item in depsgraph.object_instances:
        obj = item.object
        # Cheap tests first: a scene may have a hundred thousand other instances.
        if obj.type != "MESH" or not obj.pcgs.is_splats or not item.show_self:
            continue
        owner = item.parent if item.is_instance else obj
        # The depsgraph keeps what the eye icon of a collection hides, and knows no local views.
        if not for_render and not owner.original.visible_get(
            view_layer=depsgraph.view_layer, viewport=viewport
        ):
            continue
        shown = _shown(obj, for_render=for_render)
        if shown is not None:
            found.append(
                SplatInstance(
                    cloud=shown.cloud,
                    key=shown.key,
                    matrix_world=np.array(item.matrix_world, dtype=np.float64),
                    object_name=obj.original.name,
                )
            )
    return found


def _depsgraph_of(
    context_or_depsgraph: bpy.types.Context | bpy.types.Depsgraph,
) -> bpy.types.Depsgraph:
    if isinstance(context_or_depsgraph, bpy.types.Depsgraph):
        return context_or_depsgraph
    return context_or_depsgraph.evaluated_depsgraph_get()


def _shown(obj: bpy.types.Object, *, for_render: bool) -> LevelCloud | None:
    """Return what an evaluated object shows now."""
    level = obj.pcgs.render_level if for_render else obj.pcgs.level
    if level == 0 or not is_splats(obj):
        return None
    file = file_of_object(obj)
    if file is None:
        return None
    if for_render:
        file.wait(level=level, seconds=RENDER_WAIT_SECONDS)
    return file.shown(level)
