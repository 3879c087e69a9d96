"""Set Level: shows one level of the table in the viewport."""

import bpy
from bpy.props import IntProperty

from .. import ids
from ..properties.object_settings import LEVEL_MAX
from .active_splats import active_splats, needs_splats

__all__ = ["CLASSES"]


class PCGS_OT_set_level(bpy.types.Operator):
    """Show a level of the active splat object."""

    bl_idname = ids.SET_LEVEL
    bl_label = "Show Level"
    bl_description = "Show this level in the viewport"
    bl_options = {"REGISTER", "UNDO"}

    level: IntProperty(name="Level", default=1, min=0, max=LEVEL_MAX)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a splat object."""
        return needs_splats(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set the property."""
        obj = active_splats(context)
        if obj is None:
            return {"CANCELLED"}
        obj.pcgs.level = self.level
        return {"FINISHED"}


CLASSES: tuple[type, ...] = (PCGS_OT_set_level,)
