"""Add to Renders: F12 and animation renders of the scene show its splats."""

import bpy

from .. import ids
from ..render.automatic import follow_imports
from ..render.session import use_gpu
from ..render.setup import SetupError, add_splats, is_added, setup_problem

__all__ = ["CLASSES"]


class PCGS_OT_add_to_render(bpy.types.Operator):
    """Lead the scene's picture through the splats' compositor nodes."""

    bl_idname = ids.ADD_TO_RENDER
    bl_label = "Add Splats to Renders"
    bl_description = (
        "Let renders of this scene show its splats, whatever its render engine: adds two nodes to "
        "the compositor, a helper scene, and the depth and environment passes"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a compositor that can take them."""
        if is_added(context.scene):
            cls.poll_message_set("Renders of this scene show its splats already")
            return False
        problem = setup_problem(context.scene)
        if problem:
            cls.poll_message_set(problem)
        return not problem

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add the nodes."""
        try:
            add_splats(context.scene, gpu=use_gpu())
        except SetupError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        follow_imports(context.scene)
        return {"FINISHED"}


CLASSES: tuple[type, ...] = (PCGS_OT_add_to_render,)
