"""Import: File > Import and drag and drop; paths in, one splat object a file out."""

from pathlib import Path

import bpy
from bpy.props import CollectionProperty, EnumProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from pcgs_engine.errors import PcgsError

from .. import ids
from ..objects.file_of_object import file_of_object
from ..objects.open_splats import find_file, place_splats
from ..objects.session import sync_objects
from ..objects.up_axis import AXIS_ITEMS, UpAxis
from ..path_property import PATH_OPTIONS, operator_file_path
from ..properties.object_settings import LEVEL_MAX
from ..render.automatic import show_in_renders

__all__ = ["CLASSES", "register", "unregister"]


class PCGS_OT_import_pcgs(bpy.types.Operator, ImportHelper):
    """Import splat files."""

    bl_idname = ids.IMPORT_PCGS
    bl_label = "Import PCGS"
    bl_description = (
        "Load splats from .pcgs or splat PLY files. The coarse level shows first, finer ones "
        "follow while you go on working; a file that is still downloading grows as it arrives"
    )
    bl_options = {"REGISTER", "UNDO", "PRESET"}

    filename_ext = ".pcgs"
    filepath: operator_file_path("File that is read")
    filter_glob: StringProperty(default="*.pcgs;*.ply", options={"HIDDEN"})
    directory: StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE", *PATH_OPTIONS})
    files: CollectionProperty(
        type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"}
    )
    level: IntProperty(
        name="Level",
        description="Quality level shown in the viewport; a file with fewer shows its last one",
        default=LEVEL_MAX,
        min=0,
        max=LEVEL_MAX,
    )
    up_axis: EnumProperty(
        name="Up",
        description="Direction of the file that points up in Blender",
        items=AXIS_ITEMS,
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Import what was dropped, else ask for files."""
        if self.directory and self.files:
            return self.execute(context)
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Create the objects; decoding goes on in the background, or is waited for without one."""
        found, problems = [], []
        for path in self._paths():
            try:
                found.append(find_file(path))
            except PcgsError as error:
                problems.append(f"{path.name}: {error}")
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                problems.append(f"{path}: cannot be read ({reason}); check the path")
        for text in problems if found else problems[:-1]:
            self.report({"WARNING"}, text)
        if not found:
            self.report({"ERROR"}, problems[-1] if problems else "No file given; choose a .pcgs")
            return {"CANCELLED"}
        up = UpAxis[self.up_axis]
        made = [place_splats(context, file, level=self.level, up=up) for file in found]
        _select(context, made)
        show_in_renders(context.scene)
        if bpy.app.background:
            for text in _wait_for(made):
                self.report({"WARNING"}, text)
        self.report({"INFO"}, f"{len(made)} file{'s' if len(made) > 1 else ''} imported")
        return {"FINISHED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the options in the file dialog."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "level")
        layout.prop(self, "up_axis")

    def _paths(self) -> list[Path]:
        names = [entry.name for entry in self.files if entry.name]
        if names and self.directory:
            return [Path(bpy.path.abspath(self.directory)) / name for name in names]
        return [Path(bpy.path.abspath(self.filepath)).absolute()] if self.filepath else []


def _select(context: bpy.types.Context, objects: list[bpy.types.Object]) -> None:
    """Leave just the new objects selected, the last one active."""
    if context.mode != "OBJECT":
        return
    for other in context.selected_objects:
        other.select_set(False)
    for obj in objects:
        if obj.name in context.view_layer.objects:
            obj.select_set(True)
            context.view_layer.objects.active = obj


def _wait_for(objects: list[bpy.types.Object]) -> list[str]:
    """Wait until the files are decoded: without windows there is nobody to go on working."""
    files = [file_of_object(obj) for obj in objects]
    for file in files:
        if file is not None:
            file.wait()
    sync_objects()
    return [file.message for file in files if file is not None and file.message]


class PCGS_FH_splats(bpy.types.FileHandler):
    """Takes .pcgs files dropped on a 3D view or the outliner."""

    bl_idname = "PCGS_FH_splats"
    bl_label = "PCGS splats"
    bl_import_operator = ids.IMPORT_PCGS
    bl_file_extensions = ".pcgs"

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """Where objects are shown."""
        return context.area is not None and context.area.type in {"VIEW_3D", "OUTLINER"}


def _menu(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.operator(ids.IMPORT_PCGS, text="PCGS Splats (.pcgs)")


def register() -> None:
    """Add the menu entry."""
    bpy.types.TOPBAR_MT_file_import.append(_menu)


def unregister() -> None:
    """Remove it."""
    bpy.types.TOPBAR_MT_file_import.remove(_menu)


CLASSES: tuple[type, ...] = (PCGS_OT_import_pcgs, PCGS_FH_splats)
