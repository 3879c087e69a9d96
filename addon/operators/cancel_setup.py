"""Cancel Set-Up: stops it; the environment of before stays, finished downloads are kept."""

import bpy

from .. import ids
from ..setup.registry import setup_registry

__all__ = ["CLASSES"]


class PCGS_OT_cancel_setup(bpy.types.Operator):
    """Stop the running set-up."""

    bl_idname = ids.CANCEL_SETUP
    bl_label = "Cancel Set-Up"
    bl_description = "Stop it; nothing is changed, and the next try goes on from what has come"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a running set-up."""
        if setup_registry.running_job is None:
            cls.poll_message_set("No set-up is running")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask; the panel tells when it is done."""
        job = setup_registry.running_job
        if job is not None:
            job.cancel()
        return {"FINISHED"}


CLASSES: tuple[type, ...] = (PCGS_OT_cancel_setup,)
