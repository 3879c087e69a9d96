"""Train: fits a model to the image folder and writes it as a `.pcgs` file, as one job."""

import bpy

from .. import ids
from ..engine.registry import engine_registry
from ..engine.requests import image_folder, start_job
from ..engine.session import start_polling
from .job_report import report_end
from .running_job import needs_no_running_job

__all__ = ["CLASSES"]


class PCGS_OT_train(bpy.types.Operator):
    """Start a training."""

    bl_idname = ids.TRAIN
    bl_label = "Train"
    bl_description = (
        "Fit splats to the images and write them as one .pcgs file. Runs beside Blender: "
        "go on working, save, or close it and resume later"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a folder that is there; one job at a time."""
        if not needs_no_running_job(cls):
            return False
        if image_folder(context.scene) is None:
            cls.poll_message_set("Choose a folder of posed images in step 1")
            return False
        if engine_registry.scan_error:
            cls.poll_message_set("The image folder cannot be used, see step 1")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Start the job; the panel follows it."""
        start_job(context)
        start_polling()
        return {"FINISHED"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Run the job and wait (background mode, scripts)."""
        job = start_job(context)
        job.wait()
        return report_end(self, job)


CLASSES: tuple[type, ...] = (PCGS_OT_train,)
