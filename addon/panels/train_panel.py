"""Sidebar tab PCGS, the way from images to a file: images, settings, train, result."""

import bpy

from .. import ids
from ..engine.registry import engine_registry
from ..engine.scene_scan import SceneScan
from ..engine.training_view import shows_file
from .job_drawing import draw_job, draw_unfinished_run
from .level_table import draw_level_table, size_text
from .path_row import draw_path
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
            text = "Choose a folder of photos with their cameras: COLMAP's, or transforms.json"
            draw_text(layout, context, text, icon="INFO")
            layout.operator(ids.USE_SAMPLE, icon="OUTLINER_OB_IMAGE")
            return
        scan, report = engine_registry.scan, engine_registry.report
        if engine_registry.scan_task is not None:
            layout.label(text="Reading the folder...", icon="SORTTIME")
        elif scan is None and report is not None and not report.usable:
            layout.label(text="Not read yet: no training engine", icon="INFO")
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
        row.prop(settings, "preview_seconds")


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
            draw_unfinished_run(layout, context)
            row = layout.row()
            row.scale_y = 1.4
            before = engine_registry.run is not None
            row.operator(ids.TRAIN, text="Train Anew" if before else "Train", icon="PLAY")


class PCGS_PT_result(_SidebarPanel, bpy.types.Panel):
    """Step 4: what came of it."""

    bl_label = "4. Result"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only where there is one."""
        run = engine_registry.run
        return run is not None and run.result is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Draw file and levels; once its object is active, the panel below has them and more."""
        layout = self.layout
        run = engine_registry.run
        if run is None or run.result is None:
            return
        note = f", {size_text(run.levels[-1].bytes)}" if run.levels else ""
        draw_path(layout, run.result, note)
        if run.problem:
            draw_text(layout, context, run.problem, icon="ERROR")
            return
        if context.object is None or not shows_file(context.object, run.result):
            draw_level_table(layout, run.levels)
            layout.operator(ids.SHOW_RESULT, icon="RESTRICT_SELECT_OFF")


CLASSES: tuple[type, ...] = (
    PCGS_PT_images,
    PCGS_PT_settings,
    PCGS_PT_more_settings,
    PCGS_PT_train,
    PCGS_PT_result,
)
