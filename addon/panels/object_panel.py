"""A splat object's panel, in the sidebar tab PCGS and in the Properties editor's Object tab."""

import bpy

from .. import ids
from ..engine.registry import engine_registry
from ..files import FileState, SplatFile
from ..objects.file_of_object import absolute_path, file_of_object, is_packed, is_splats
from ..objects.point_cloud import can_make_point_clouds
from ..objects.session import working_files
from ..properties.object_settings import USUAL_LEVELS
from .level_table import size_text
from .text_lines import draw_text
from .thumbnails import thumbnails

__all__ = ["CLASSES", "register", "unregister"]

BADGES = {
    FileState.WAITING: ("Waiting to be read", "SORTTIME"),
    FileState.DECODING: ("Decoding", "SORTTIME"),
    FileState.PARTIAL: ("Incomplete", "TEMP"),
    FileState.DAMAGED: ("Damaged", "ERROR"),
    FileState.MISSING: ("File not found", "ERROR"),
    FileState.CANCELLED: ("Stopped", "PAUSE"),
}
"""READY has none: all is well."""
THUMBNAIL_SCALE = 3.0
"""In heights of a button."""
STATUS_WIDTH = 10
"""Of the status bar's progress, in heights of a button."""


def _draw_object(
    layout: bpy.types.UILayout, context: bpy.types.Context, obj: bpy.types.Object
) -> None:
    """Draw everything about one splat object."""
    file = file_of_object(obj)
    if file is not None and _is_live_preview(file):
        text = "Live preview of the running training; its levels come at the end"
        draw_text(layout, context, text, icon="INFO")
        return
    if file is not None:
        _draw_badge(layout, context, file)
    else:
        box = layout.box()
        box.alert = True
        box.label(text="No file", icon="ERROR")
        box.operator(ids.FIND_FILE, icon="VIEWZOOM")
    _draw_levels(layout, obj, file)
    if file is not None and file.info is not None:
        _draw_table(layout, obj, file)
    _draw_file(layout, obj, file)
    _draw_copies(layout)


def _draw_badge(layout: bpy.types.UILayout, context: bpy.types.Context, file: SplatFile) -> None:
    """Draw how far the file is, and what to do where something is wrong."""
    if file.state.working:
        row = layout.row(align=True)
        levels = f"{file.levels_ready} of {file.levels} levels ready" if file.levels else "reading"
        row.progress(factor=file.progress, type="BAR", text=f"Decoding: {levels}")
        row.operator(ids.STOP_DECODING, text="", icon="X")
        return
    badge = BADGES.get(file.state)
    if badge is None:
        return
    box = layout.box()
    box.alert = file.state in (FileState.DAMAGED, FileState.MISSING)
    box.label(text=badge[0], icon=badge[1])
    if file.message:
        draw_text(box, context, file.message)
    row = box.row(align=True)
    row.operator(ids.FIND_FILE, icon="VIEWZOOM")
    row.operator(ids.RELOAD_FILE, icon="FILE_REFRESH")


def _draw_levels(layout: bpy.types.UILayout, obj: bpy.types.Object, file: SplatFile | None) -> None:
    """Draw the two levels."""
    column = layout.column()
    if not obj.pcgs.levels:
        column.label(text="How many levels it has is not known yet", icon="INFO")
        return
    column.use_property_split = True
    # A slider has one range for all objects; for a file with other levels it would mislead.
    slider = obj.pcgs.levels == USUAL_LEVELS
    note = "" if slider else f" (0 to {obj.pcgs.levels})"
    column.prop(obj.pcgs, "level", slider=slider, text=f"Level{note}")
    # The same note behind this one would be cut off.
    column.prop(obj.pcgs, "render_level", slider=slider, text="Render Level")
    if file is not None and file.levels and 0 < file.levels_ready < obj.pcgs.level:
        column.label(text=f"Showing level {file.levels_ready} until more is ready", icon="INFO")


def _draw_table(layout: bpy.types.UILayout, obj: bpy.types.Object, file: SplatFile) -> None:
    """Draw a row a level: a button that shows it, its size, PSNR and splats."""
    grid = layout.box().grid_flow(row_major=True, columns=4, even_columns=True, align=True)
    for title in ("Level", "Size", "PSNR", "Splats"):
        grid.label(text=title)
    shown = min(obj.pcgs.level, file.levels)
    for level in file.info.levels if file.info else ():
        button = grid.row()
        button.enabled = level.level <= file.levels_ready
        choose = button.operator(ids.SET_LEVEL, text=str(level.level), depress=level.level == shown)
        choose.level = level.level
        grid.label(text=size_text(level.bytes))
        grid.label(text="-" if level.psnr is None else f"{level.psnr:.2f} dB")
        grid.label(text=f"{level.splats:,}")


def _draw_file(layout: bpy.types.UILayout, obj: bpy.types.Object, file: SplatFile | None) -> None:
    """Draw a picture of the file, where it is, and ways to move it."""
    row = layout.row()
    icon = thumbnails.icon(file) if file is not None else 0
    if icon:
        row.template_icon(icon_value=icon, scale=THUMBNAIL_SCALE)
    column = row.column(align=True)
    if is_packed(obj):
        path = absolute_path(obj)
        name = path.name if path is not None else obj.name
        column.label(text=f"{name} in the .blend", icon="PACKAGE")
        column.operator(ids.UNPACK_FILE, icon="UGLYPACKAGE")
        return
    line = column.row(align=True)
    line.prop(obj.pcgs, "filepath", text="")
    line.operator(ids.RELOAD_FILE, text="", icon="FILE_REFRESH")
    column.operator(ids.PACK_FILE, icon="PACKAGE")


def _draw_copies(layout: bpy.types.UILayout) -> None:
    """Draw the ways to have the splats elsewhere; a point cloud where this Blender can."""
    column = layout.column(align=True)
    column.operator(ids.EXPORT_PCGS, text="Export .pcgs", icon="EXPORT")
    column.operator(ids.EXPORT_PLY, text="Export PLY", icon="EXPORT")
    if can_make_point_clouds():
        column.operator(ids.MAKE_POINT_CLOUD, icon="OUTLINER_OB_POINTCLOUD")


class PCGS_PT_object_sidebar(bpy.types.Panel):
    """The active splat object, in the 3D View's sidebar."""

    bl_label = "Splat Object"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = ids.SIDEBAR_TAB

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only for splat objects."""
        return is_splats(context.object)

    def draw_header(self, context: bpy.types.Context) -> None:
        """Draw an icon."""
        self.layout.label(text="", icon="OUTLINER_OB_POINTCLOUD")

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the object."""
        _draw_object(self.layout, context, context.object)


class PCGS_PT_object_properties(bpy.types.Panel):
    """The active splat object, in the Properties editor."""

    bl_label = "PCGS Splats"
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "object"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only for splat objects."""
        return is_splats(context.object)

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the object."""
        _draw_object(self.layout, context, context.object)


def _draw_status(self: bpy.types.Header, context: bpy.types.Context) -> None:
    """Draw the progress of decoding in the status bar."""
    working = [file for file in working_files() if not _is_live_preview(file)]
    if not working:
        return
    share = sum(file.progress for file in working) / len(working)
    path = working[0].path
    name = path.name if path is not None and len(working) == 1 else f"{len(working)} files"
    row = self.layout.row(align=True)
    bar = row.row(align=True)
    bar.ui_units_x = STATUS_WIDTH
    bar.progress(factor=share, type="BAR", text=f"Decoding {name}")
    row.operator(ids.STOP_DECODING, text="", icon="X")


def _is_live_preview(file: SplatFile) -> bool:
    """Whether a running training shows it: its bar would flash every few seconds."""
    job = engine_registry.running_job
    preview = None if job is None else job.state.preview
    return preview is not None and file.path is not None and str(file.path) == preview.splats


def register() -> None:
    """Add the progress to the status bar."""
    bpy.types.STATUSBAR_HT_header.append(_draw_status)


def unregister() -> None:
    """Remove it; free the thumbnails."""
    bpy.types.STATUSBAR_HT_header.remove(_draw_status)
    thumbnails.clear()


CLASSES: tuple[type, ...] = (PCGS_PT_object_sidebar, PCGS_PT_object_properties)
