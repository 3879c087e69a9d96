"""Show Cameras: the cameras and points of the image folder as Blender objects."""

import bpy

from .. import ids
from ..engine.camera_objects import make_camera_collection
from ..engine.registry import engine_registry

__all__ = ["CLASSES"]


class PCGS_OT_show_cameras(bpy.types.Operator):
    """Make objects of cameras and points."""

    bl_idname = ids.SHOW_CAMERAS
    bl_label = "Show Cameras and Points"
    bl_description = (
        "Add a collection with one camera per image, the image behind it, and the sparse points"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a folder that was read."""
        if engine_registry.scan is None:
            cls.poll_message_set("Choose an image folder first: what it holds is not known yet")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add the collection."""
        scan = engine_registry.scan
        if scan is None:
            return {"CANCELLED"}
        collection = make_camera_collection(context.scene, scan)
        self.report({"INFO"}, f"Added {len(scan.views)} cameras in {collection.name}")
        return {"FINISHED"}


CLASSES: tuple[type, ...] = (PCGS_OT_show_cameras,)
