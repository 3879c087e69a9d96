"""Pack: puts the .pcgs file of a splat object into the .blend."""

import bpy

from .. import ids
from ..objects.file_of_object import is_packed
from ..objects.packing import PackingError, pack
from .active_splats import active_splats, needs_editable_splats

__all__ = ["CLASSES"]


class PCGS_OT_pack_file(bpy.types.Operator):
    """Store the file of the active splat object in the .blend."""

    bl_idname = ids.PACK_FILE
    bl_label = "Pack into .blend"
    bl_description = "Store the .pcgs file inside the .blend, so that it needs no other file"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs an editable splat object that is not packed."""
        if not needs_editable_splats(cls, context):
            return False
        if is_packed(context.object):
            cls.poll_message_set("The file is in the .blend already")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Read the file into the mesh datablock."""
        obj = active_splats(context)
        if obj is None:
            return {"CANCELLED"}
        try:
            size = pack(obj)
        except PackingError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"{size / 1e6:.2f} MB packed; save the .blend to keep them")
        return {"FINISHED"}


CLASSES: tuple[type, ...] = (PCGS_OT_pack_file,)
