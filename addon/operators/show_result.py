"""Show Result: selects the object of the last training's file, or makes one."""

import bpy

from .. import ids
from ..engine.registry import engine_registry
from ..engine.training_view import result_object

__all__ = ["CLASSES"]


class PCGS_OT_show_result(bpy.types.Operator):
    """Bring the result into the scene."""

    bl_idname = ids.SHOW_RESULT
    bl_label = "Select Result"
    bl_description = "Select the object that shows the result, to export it; adds one if needed"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a finished run."""
        if context.mode != "OBJECT":
            cls.poll_message_set("Leave the object's edit mode first")
            return False
        if engine_registry.run is None or engine_registry.run.result is None:
            cls.poll_message_set("No training of this scene is finished")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Select it alone."""
        run = engine_registry.run
        if run is None or run.result is None:
            return {"CANCELLED"}
        if not run.result.is_file():
            self.report({"WARNING"}, f"{run.result} is gone; press Train to make it anew")
            return {"CANCELLED"}
        obj = result_object(context, run.result, run.scene_kind, levels=len(run.levels))
        for other in context.selected_objects:
            other.select_set(False)
        obj.select_set(True)
        context.view_layer.objects.active = obj
        return {"FINISHED"}


CLASSES: tuple[type, ...] = (PCGS_OT_show_result,)
