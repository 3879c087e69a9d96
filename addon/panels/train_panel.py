"""Sidebar tab PCGS, the way from images to a file: images, settings, train, result."""

import bpy

from .. import ids
from ..engine.registry import engine_registry
from ..engine.scene_scan import SceneScan
from ..engine.training_view import shows_file
from .engine_report import draw_engine_problem
from .job_drawing import draw_job, draw_unfinished_run
from .level_table import draw_level_table
from .text_lines import draw_text

__all__ = ["CLASSES"]


class _SidebarPanel:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = ids.SIDEBAR_TAB


class PCGS_PT_images(_SidebarPanel, bpy.types.Panel):
    """Step 1: which images."""

    bl_label = "1. Images"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the folder and what was found in it."""
        layout = self.layout
        settings = context.scene.pcgs
        layout.prop(settings, "image_folder", text="")
        if not settings.image_folder:
            draw_text(layout, context, "A folder with transforms.json, or of COLMAP", icon="INFO")
            layout.operator(ids.USE_SAMPLE, icon="OUTLINER_OB_IMAGE")
            return
        scan = engine_registry.scan
        if engine_registry.scan_task is not None:
            layout.label(text="Reading the folder...", icon="SORTTIME")
        elif engine_registry.scan_error:
            draw_text(layout, context, engine_registry.scan_error, icon="ERROR")
            layout.operator(ids.SCAN_IMAGES, text="Look Again", icon="FILE_REFRESH")
        elif scan is None:
            layout.operator(ids.SCAN_IMAGES, icon="VIEWZOOM")
        else:
            _draw_scan(layout, context, scan)


def _draw_scan(layout: bpy.types.UILayout, context: bpy.types.Context, scan: SceneScan) -> None:
    column = layout.column(align=True)
    kind = "COLMAP" if scan.kind == "colmap" else "transforms.json"
    first = scan.views[0]
    column.label(text=f"{kind}, {first.width} x {first.height} pixels", icon="FILE_FOLDER")
    views = f"{scan.train_views} images to train, {scan.test_views} held out"
    column.label(text=views, icon="IMAGE_DATA")
    column.label(text=f"{len(scan.points):,} points", icon="OUTLINER_DATA_POINTCLOUD")
    for text in scan.warnings:
        draw_text(column, context, text, icon="ERROR")
    layout.operator(ids.SHOW_CAMERAS, icon="OUTLINER_OB_CAMERA")


class PCGS_PT_settings(_SidebarPanel, bpy.types.Panel):
    """Step 2: how."""

    bl_label = "2. Settings"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw what matters."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.enabled = engine_registry.running_job is None
        settings = context.scene.pcgs
        layout.prop(settings, "preset")
        layout.prop(settings, "time_limit")


class PCGS_PT_more_settings(_SidebarPanel, bpy.types.Panel):
    """The rest of step 2."""

    bl_label = "More"
    bl_parent_id = "PCGS_PT_settings"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the rest; 0 means as the preset says."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.enabled = engine_registry.running_job is None
        settings = context.scene.pcgs
        column = layout.column()
        for name in ("iterations", "max_size", "levels"):
            column.prop(settings, name)
        column = layout.column()
        for name in ("head", "background", "seed"):
            column.prop(settings, name)
        column = layout.column(heading="Preview")
        column.prop(settings, "preview", text="Live")
        row = column.row()
        row.enabled = settings.preview
        row.prop(settings, "preview_share")


class PCGS_PT_train(_SidebarPanel, bpy.types.Panel):
    """Step 3: do it."""

    bl_label = "3. Train"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the buttons and the job."""
        layout = self.layout
        job = engine_registry.job
        if job is not None:
            draw_job(layout, context, job)
        if job is None or not job.running:
            if job is None:
                draw_engine_problem(layout, context)
            draw_unfinished_run(layout, context)
            row = layout.row()
            row.scale_y = 1.4
            unfinished = engine_registry.run is not None and engine_registry.run.resumable
            row.operator(ids.TRAIN, text="Train Anew" if unfinished else "Train", icon="PLAY")


class PCGS_PT_result(_SidebarPanel, bpy.types.Panel):
    """Step 4: what came of it."""

    bl_label = "4. Result"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only where there is one."""
        run = engine_registry.run
        return run is not None and run.result is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Draw file, levels and what to do with them."""
        layout = self.layout
        run = engine_registry.run
        if run is None or run.result is None:
            return
        draw_text(layout, context, str(run.result), icon="FILE")
        if run.problem:
            draw_text(layout, context, run.problem, icon="ERROR")
            return
        draw_level_table(layout, run.levels)
        # The export operators act on the active object, like Blender's own.
        if context.object is not None and shows_file(context.object, run.result):
            column = layout.column(align=True)
            column.operator(ids.EXPORT_PCGS, icon="EXPORT")
            column.operator(ids.EXPORT_PLY, icon="EXPORT")
        else:
            layout.operator(ids.SHOW_RESULT, icon="RESTRICT_SELECT_OFF")


CLASSES: tuple[type, ...] = (
    PCGS_PT_images,
    PCGS_PT_settings,
    PCGS_PT_more_settings,
    PCGS_PT_train,
    PCGS_PT_result,
)
