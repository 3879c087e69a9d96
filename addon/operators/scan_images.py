"""Look Again: reads the image folder and shows what is in it."""

import bpy

from .. import ids
from ..engine.registry import engine_registry
from ..engine.requests import image_folder, refresh_run, start_scan
from ..engine.session import start_polling, step

__all__ = ["CLASSES"]


class PCGS_OT_scan_images(bpy.types.Operator):
    """Read the image folder."""

    bl_idname = ids.SCAN_IMAGES
    bl_label = "Look at Images"
    bl_description = "Read the image folder and show what is in it: images, cameras, points"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a folder; one at a time."""
        if image_folder(context.scene) is None:
            cls.poll_message_set("Choose a folder of posed images first")
            return False
        if engine_registry.scan_task is not None:
            cls.poll_message_set("The folder is being read")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Read it in another process; the panel shows the findings."""
        folder = image_folder(context.scene)
        if folder is not None:
            start_scan(context, folder)
            refresh_run(context.scene)
            start_polling()
        return {"FINISHED"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Read it and wait."""
        folder = image_folder(context.scene)
        if folder is None:
            return {"CANCELLED"}
        start_scan(context, folder).wait()
        step()
        refresh_run(context.scene)
        scan = engine_registry.scan
        if scan is None:
            self.report({"WARNING"}, engine_registry.scan_error)
            return {"CANCELLED"}
        found = f"{scan.train_views} + {scan.test_views} images, {len(scan.points)} points"
        self.report({"INFO"}, found)
        return {"FINISHED"}


CLASSES: tuple[type, ...] = (PCGS_OT_scan_images,)
