"""Unpack: writes the packed .pcgs of a splat object to a file and shows that."""

from pathlib import Path

import bpy
from bpy.props import StringProperty
from bpy_extras.io_utils import ExportHelper

from pcgs_engine.errors import OutputError

from .. import ids
from ..objects.file_of_object import absolute_path, is_packed
from ..objects.packing import unpack
from ..path_property import operator_file_path
from .active_splats import active_splats, needs_editable_splats

__all__ = ["CLASSES"]


class PCGS_OT_unpack_file(bpy.types.Operator, ExportHelper):
    """Write the packed file of the active splat object to disk."""

    bl_idname = ids.UNPACK_FILE
    bl_label = "Unpack"
    bl_description = "Write the packed file to disk and show that one instead"
    bl_options = {"REGISTER", "UNDO"}

    filepath: operator_file_path("File that is written")
    filename_ext = ".pcgs"
    filter_glob: StringProperty(default="*.pcgs", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a packed, editable splat object."""
        if not needs_editable_splats(cls, context):
            return False
        if not is_packed(context.object):
            cls.poll_message_set("Nothing is packed: the object shows a file on disk")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask where to; the place it was packed from is proposed."""
        obj = active_splats(context)
        path = absolute_path(obj) if obj is not None else None
        if path is not None:
            self.filepath = str(path)
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write the file."""
        obj = active_splats(context)
        if obj is None:
            return {"CANCELLED"}
        path = Path(bpy.path.abspath(self.filepath)).absolute()
        try:
            unpack(obj, path)
        except OutputError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"Unpacked to {path}")
        return {"FINISHED"}


CLASSES: tuple[type, ...] = (PCGS_OT_unpack_file,)
