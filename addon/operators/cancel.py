"""Cancel: stops the job; the run stays on disk."""

import bpy

from .. import ids
from ..engine.registry import engine_registry
from .running_job import needs_running_job

__all__ = ["CLASSES"]


class PCGS_OT_cancel(bpy.types.Operator):
    """Stop the running job."""

    bl_idname = ids.CANCEL
    bl_label = "Cancel"
    bl_description = (
        "Save a checkpoint and stop; pressed again while stopping: end the engine at once"
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a running job."""
        return needs_running_job(cls)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask; the panel tells when it is done."""
        job = engine_registry.running_job
        if job is not None:
            job.cancel()
        return {"FINISHED"}


CLASSES: tuple[type, ...] = (PCGS_OT_cancel,)
