"""Use the Sample: sets the image folder to the small set that comes with PCGS."""

import bpy

from pcgs_engine.errors import PcgsError
from pcgs_engine.sample import sample_path

from .. import ids
from .running_job import needs_no_running_job

__all__ = ["CLASSES"]


class PCGS_OT_use_sample(bpy.types.Operator):
    """Try PCGS without images of one's own."""

    bl_idname = ids.USE_SAMPLE
    bl_label = "Use the Sample"
    bl_description = "Try PCGS with the sample that comes with it: 48 pictures of a made-up room"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Not while a job uses the folder that is set."""
        return needs_no_running_job(cls)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set the folder."""
        try:
            folder = sample_path()
        except PcgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        context.scene.pcgs.image_folder = str(folder)
        return {"FINISHED"}


CLASSES: tuple[type, ...] = (PCGS_OT_use_sample,)
