"""Export .pcgs: the file of the active splat object, whole or cut at a level or size."""

from pathlib import Path

import bpy
from bpy.props import EnumProperty, FloatProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ExportHelper

from pcgs_engine.atomic_file import write_atomically
from pcgs_engine.errors import PcgsError

from .. import ids
from ..files import SplatFile
from ..files.smaller_file import Cut, smaller_file
from ..objects.file_of_object import file_of_object
from ..panels.level_table import size_text
from ..path_property import operator_file_path
from ..properties.object_settings import LEVEL_MAX
from .active_splats import active_splats, needs_splats

__all__ = ["CLASSES", "register", "unregister"]


class PCGS_OT_export_pcgs(bpy.types.Operator, ExportHelper):
    """Write the active splat object's file up to a level or a size."""

    bl_idname = ids.EXPORT_PCGS
    bl_label = "Export PCGS"
    bl_description = "Write the file of this object up to a level, or as much as fits into a size"
    bl_options = {"REGISTER", "PRESET"}

    filepath: operator_file_path("File that is written")
    filename_ext = ".pcgs"
    filter_glob: StringProperty(default="*.pcgs", options={"HIDDEN"})
    limit: EnumProperty(
        name="Up To",
        description="Where the file is cut",
        items=(
            ("LEVEL", "Level", "All of the levels up to one"),
            ("SIZE", "Size", "As many levels and refinements as fit"),
        ),
    )
    level: IntProperty(
        name="Level",
        description="Last level that is kept; a file with fewer is written whole",
        default=LEVEL_MAX,
        min=1,
        max=LEVEL_MAX,
    )
    megabytes: FloatProperty(
        name="Size (MB)",
        description="Largest size of the file; 1 MB is a million bytes",
        default=1.0,
        min=0.001,
        soft_max=100.0,
        precision=3,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a splat object with a `.pcgs` whose levels are known."""
        if not needs_splats(cls, context):
            return False
        file = file_of_object(context.object)
        if file is None or file.info is None:
            cls.poll_message_set("The object has no readable .pcgs file (yet)")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Propose the object's viewport level and name."""
        obj = active_splats(context)
        if obj is not None:
            self.level = max(obj.pcgs.level, 1)
            self.filepath = f"{bpy.path.clean_name(obj.name)}.pcgs"
        return super().invoke(context, event)

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the options and what they lead to."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "limit", expand=True)
        layout.prop(self, "level" if self.limit == "LEVEL" else "megabytes")
        obj = active_splats(context)
        file = file_of_object(obj) if obj is not None else None
        if file is not None:
            text, icon = self._expected(file)
            layout.label(text=text, icon=icon)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write the file."""
        obj = active_splats(context)
        file = file_of_object(obj) if obj is not None else None
        if file is None:
            return {"CANCELLED"}
        path = Path(bpy.path.abspath(self.filepath)).absolute()
        try:
            data = smaller_file(file.source, self._cut(file))
            write_atomically(path, data)
        except PcgsError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            text = f"{file.source.identity}: cannot be read ({reason}); use Find File"
            self.report({"ERROR"}, text)
            return {"CANCELLED"}
        self.report({"INFO"}, f"{size_text(len(data))} written to {path}")
        return {"FINISHED"}

    def _cut(self, file: SplatFile) -> Cut:
        if self.limit == "LEVEL":
            return Cut(level=min(self.level, file.levels))
        return Cut(max_bytes=int(self.megabytes * 1e6))

    def _expected(self, file: SplatFile) -> tuple[str, str]:
        """Return what the file would be and an icon; cut anew only when an option changed."""
        question = (file.source.identity, file.version, self._cut(file))
        known = getattr(self, "_known", None)
        if known is None or known[0] != question:
            try:
                size = len(smaller_file(file.source, question[2]))
                answer = (f"Will be {size_text(size)}", "FILE_TICK")
            except (PcgsError, OSError) as error:
                answer = (str(error), "ERROR")
            known = self._known = (question, answer)
        return known[1]


def _menu(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.operator(ids.EXPORT_PCGS, text="PCGS Splats (.pcgs)")


def register() -> None:
    """Add the menu entry."""
    bpy.types.TOPBAR_MT_file_export.append(_menu)


def unregister() -> None:
    """Remove it."""
    bpy.types.TOPBAR_MT_file_export.remove(_menu)


CLASSES: tuple[type, ...] = (PCGS_OT_export_pcgs,)
