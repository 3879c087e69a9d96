"""Reload: decodes the file of a splat object anew, or goes on after a stop."""

import bpy

from .. import ids
from ..objects.file_of_object import file_of_object, is_splats
from ..objects.session import sync_objects, wake
from .active_splats import active_splats, needs_splats

__all__ = ["CLASSES"]


class PCGS_OT_reload_file(bpy.types.Operator):
    """Read the file of the active splat object again."""

    bl_idname = ids.RELOAD_FILE
    bl_label = "Reload"
    bl_description = "Read the file again; after a stop, go on where decoding stopped"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a splat object."""
        return needs_splats(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the thread; what is shown stays until there is something new."""
        obj = active_splats(context)
        file = file_of_object(obj) if is_splats(obj) else None
        if file is None:
            self.report({"WARNING"}, "The object names no file; use Find File")
            return {"CANCELLED"}
        file.reload()
        if bpy.app.background:
            file.wait()
            sync_objects()
        wake()
        return {"FINISHED"}


CLASSES: tuple[type, ...] = (PCGS_OT_reload_file,)
