"""Remove Engine: deletes the private environment and what unfinished set-ups left of it."""

import bpy

from .. import ids
from ..setup.environment_folder import EnvironmentBusyError, PartFolder, discard_environment
from ..setup.requests import busy_reason, environment_folder
from ..setup.session import finish_setup

__all__ = ["CLASSES"]


class PCGS_OT_remove_engine(bpy.types.Operator):
    """Delete the environment that was set up."""

    bl_idname = ids.REMOVE_ENGINE
    bl_label = "Remove Training Engine"
    bl_description = (
        "Delete the private environment to free its space. Trained scenes, runs and files stay"
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs one that is not in use."""
        reason = busy_reason()
        folder = environment_folder(context)
        if not reason and not folder.exists() and not PartFolder(folder).exists:
            reason = "No training engine was set up"
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first."""
        return context.window_manager.invoke_confirm(
            self,
            event,
            title="Remove training engine?",
            message=f"Deletes {environment_folder(context)}",
            confirm_text="Remove",
            icon="WARNING",
        )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Delete it."""
        folder = environment_folder(context)
        part = PartFolder(folder)
        try:
            part.claim()
            part.release(keep_wheels=False)
            discard_environment(folder, in_background=True)
        except (EnvironmentBusyError, OSError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        finish_setup()
        self.report({"INFO"}, f"{folder} removed, its files are being deleted in the background")
        return {"FINISHED"}


CLASSES: tuple[type, ...] = (PCGS_OT_remove_engine,)
