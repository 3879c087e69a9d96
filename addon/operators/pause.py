"""Pause: asks the engine to save a checkpoint and stop."""

import bpy

from .. import ids
from ..engine.registry import engine_registry
from .running_job import needs_running_job

__all__ = ["CLASSES"]


class PCGS_OT_pause(bpy.types.Operator):
    """Stop the running job."""

    bl_idname = ids.PAUSE
    bl_label = "Pause"
    bl_description = "Save a checkpoint and stop, to be resumed later; also after closing Blender"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a running job."""
        return needs_running_job(cls)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask; the panel tells when it is done."""
        job = engine_registry.running_job
        if job is not None:
            job.pause()
        return {"FINISHED"}


CLASSES: tuple[type, ...] = (PCGS_OT_pause,)
