"""Remove from Renders: the compositor is again as it was without splats."""

import bpy

from .. import ids
from ..render.automatic import ask_first
from ..render.setup import remove_splats
from ..render.splats_scene import helper_of

__all__ = ["CLASSES"]


class PCGS_OT_remove_from_render(bpy.types.Operator):
    """Take the splats' compositor nodes and helper scene away."""

    bl_idname = ids.REMOVE_FROM_RENDER
    bl_label = "Remove Splats from Renders"
    bl_description = "Take the splats' nodes, passes and helper scene away; nothing else changes"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs something to remove."""
        if helper_of(context.scene) is None:
            cls.poll_message_set("Renders of this scene show no splats")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove the nodes."""
        remove_splats(context.scene)
        ask_first(context.scene)
        return {"FINISHED"}


CLASSES: tuple[type, ...] = (PCGS_OT_remove_from_render,)
