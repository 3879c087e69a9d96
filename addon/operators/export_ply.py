"""Export PLY: one level of the active splat object as a standard 3DGS file, as it stands."""

from pathlib import Path

import bpy
import numpy as np
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ExportHelper

from pcgs_engine.errors import PcgsError
from pcgs_engine.splats.ply import write_ply
from pcgs_engine.splats.transform import transform_splats

from .. import ids
from ..objects.file_of_object import file_of_object
from ..path_property import operator_file_path
from ..properties.object_settings import LEVEL_MAX
from .active_splats import active_splats, decoded_splats, needs_splats

__all__ = ["CLASSES", "register", "unregister"]

Y_DOWN = np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=np.float64)
"""Blender's world (z up) to that of COLMAP and OpenCV (y down), as most splat viewers want it."""


class PCGS_OT_export_ply(bpy.types.Operator, ExportHelper):
    """Write one level of the active splat object as PLY."""

    bl_idname = ids.EXPORT_PLY
    bl_label = "Export Splat PLY"
    bl_description = (
        "Write one level as a standard 3DGS PLY, moved, turned and scaled as the object is"
    )
    bl_options = {"REGISTER", "PRESET"}

    filepath: operator_file_path("File that is written")
    filename_ext = ".ply"
    filter_glob: StringProperty(default="*.ply", options={"HIDDEN"})
    level: IntProperty(
        name="Level",
        description="Level that is written; a file with fewer gives its last one",
        default=LEVEL_MAX,
        min=1,
        max=LEVEL_MAX,
    )
    use_transform: BoolProperty(
        name="Object Transform",
        description="Write the splats as the object stands in the scene. Off: as in the file",
        default=True,
    )
    up_axis: EnumProperty(
        name="Up",
        description="Which direction of the written file points up",
        items=(
            ("POSITIVE_Z", "+Z", "As in Blender"),
            ("NEGATIVE_Y", "-Y", "As COLMAP and most splat viewers expect"),
        ),
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a splat object with something decoded."""
        if not needs_splats(cls, context):
            return False
        file = file_of_object(context.object)
        if file is None or not file.levels_ready:
            cls.poll_message_set("No level of the file is decoded (yet)")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Propose the object's viewport level and name."""
        obj = active_splats(context)
        if obj is not None:
            self.level = max(obj.pcgs.level, 1)
            self.filepath = f"{bpy.path.clean_name(obj.name)}.ply"
        return super().invoke(context, event)

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the options and how much will be written."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "level")
        layout.prop(self, "use_transform")
        row = layout.row()
        row.enabled = self.use_transform
        row.prop(self, "up_axis")
        obj = active_splats(context)
        file = file_of_object(obj) if obj is not None else None
        shown = file.shown(self.level) if file is not None else None
        if shown is not None:
            size = len(shown.cloud) * 4 * (14 + 3 * shown.cloud.sh.shape[1])
            text = f"Level {shown.level}: {len(shown.cloud):,} splats, {size / 1e6:.1f} MB"
            layout.label(text=text, icon="FILE_TICK")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Move the splats and write them."""
        obj = active_splats(context)
        file = file_of_object(obj) if obj is not None else None
        if obj is None or file is None:
            return {"CANCELLED"}
        wanted = min(self.level, file.levels or LEVEL_MAX)
        cloud = decoded_splats(self, file, wanted)
        if cloud is None:
            return {"CANCELLED"}
        path = Path(bpy.path.abspath(self.filepath)).absolute()
        if context.window is not None:
            context.window.cursor_set("WAIT")
        try:
            if self.use_transform:
                matrix = np.array(obj.matrix_world, dtype=np.float64)
                turn = Y_DOWN if self.up_axis == "NEGATIVE_Y" else np.eye(4)
                cloud = transform_splats(cloud, turn @ matrix)
            write_ply(path, cloud)
        except PcgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        finally:
            if context.window is not None:
                context.window.cursor_set("DEFAULT")
        self.report({"INFO"}, f"{len(cloud):,} splats of level {wanted} written to {path}")
        return {"FINISHED"}


def _menu(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.operator(ids.EXPORT_PLY, text="Splats as PLY (.ply)")


def register() -> None:
    """Add the menu entry."""
    bpy.types.TOPBAR_MT_file_export.append(_menu)


def unregister() -> None:
    """Remove it."""
    bpy.types.TOPBAR_MT_file_export.remove(_menu)


CLASSES: tuple[type, ...] = (PCGS_OT_export_ply,)
