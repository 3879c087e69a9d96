"""Find File: gives a splat object whose file is missing another path."""

from pathlib import Path

import bpy
from bpy.props import StringProperty

from pcgs_engine.errors import PcgsError

from .. import ids
from ..objects.create import set_file
from ..objects.open_splats import find_file
from ..path_property import operator_file_path
from .active_splats import active_splats, needs_editable_splats

__all__ = ["CLASSES"]


class PCGS_OT_find_file(bpy.types.Operator):
    """Choose the file of the active splat object."""

    bl_idname = ids.FIND_FILE
    bl_label = "Find File"
    bl_description = "Choose where the file of this object is now, or another file for it"
    bl_options = {"REGISTER", "UNDO"}

    filepath: operator_file_path("Where the file is")
    filter_glob: StringProperty(default="*.pcgs;*.ply", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs an editable splat object."""
        return needs_editable_splats(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for the file."""
        obj = active_splats(context)
        if obj is not None:
            self.filepath = bpy.path.abspath(obj.pcgs.filepath)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Check the file's front and take it; the object keeps everything else."""
        path = Path(bpy.path.abspath(self.filepath)).absolute()
        obj = active_splats(context)
        try:
            levels = find_file(path).front.levels
        except PcgsError as error:
            self.report({"ERROR"}, f"{path.name}: {error}")
            return {"CANCELLED"}
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            self.report({"ERROR"}, f"{path}: cannot be read ({reason}); choose another file")
            return {"CANCELLED"}
        if obj is None:
            return {"CANCELLED"}
        set_file(obj, path, levels=levels)
        self.report({"INFO"}, f"{obj.name} shows {path.name}")
        return {"FINISHED"}


CLASSES: tuple[type, ...] = (PCGS_OT_find_file,)
