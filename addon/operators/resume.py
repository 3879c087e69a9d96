"""Resume: goes on with a run that was paused, cancelled, or ended by a crash."""

import bpy

from .. import ids
from ..engine.registry import engine_registry
from ..engine.requests import refresh_run, start_job
from ..engine.session import start_polling
from .job_report import report_end
from .running_job import needs_no_running_job

__all__ = ["CLASSES"]


class PCGS_OT_resume(bpy.types.Operator):
    """Go on from the last checkpoint."""

    bl_idname = ids.RESUME
    bl_label = "Resume"
    bl_description = "Go on with the unfinished run from its last checkpoint, with its settings"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs an unfinished run; one job at a time."""
        if not needs_no_running_job(cls):
            return False
        if engine_registry.run is None or not engine_registry.run.resumable:
            cls.poll_message_set("There is no unfinished run of these images; press Train")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Start the job; the panel follows it."""
        refresh_run(context.scene)
        run = engine_registry.run
        if run is None or not run.resumable:
            self.report({"WARNING"}, "The run's checkpoint is gone; press Train to start anew")
            return {"CANCELLED"}
        start_job(context, run)
        start_polling()
        return {"FINISHED"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Run the job and wait (background mode, scripts)."""
        job = start_job(context, engine_registry.run)
        job.wait()
        return report_end(self, job)


CLASSES: tuple[type, ...] = (PCGS_OT_resume,)
