"""Sidebar tab PCGS, above the steps: there is no engine to train with, and how to get one."""

import bpy

from .. import ids
from ..engine.registry import engine_registry
from .setup_section import draw_setup_button
from .text_lines import draw_text

__all__ = ["CLASSES"]


class PCGS_PT_engine(bpy.types.Panel):
    """Why nothing can be trained, and what to do."""

    bl_label = "Training Engine"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = ids.SIDEBAR_TAB

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only where something is wrong."""
        report = engine_registry.report
        return report is not None and not report.usable

    def draw_header(self, context: bpy.types.Context) -> None:
        """Draw a sign."""
        self.layout.label(text="", icon="ERROR")

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the reason, the setting it depends on, and another try."""
        layout = self.layout
        report = engine_registry.report
        if report is None:
            return
        draw_text(layout, context, report.problem)
        addon = context.preferences.addons.get(ids.ADDON_PACKAGE)
        if addon is not None and addon.preferences is not None:
            column = layout.column(align=True)
            column.label(text="Engine Python:")
            column.prop(addon.preferences, "engine_python", text="")
        draw_setup_button(layout, context)
        row = layout.row(align=True)
        shown = row.operator("preferences.addon_show", text="Preferences", icon="PREFERENCES")
        shown.module = ids.ADDON_PACKAGE
        text = "Checking..." if engine_registry.check is not None else "Check Again"
        row.operator(ids.CHECK_ENGINE, text=text, icon="FILE_REFRESH")


CLASSES: tuple[type, ...] = (PCGS_PT_engine,)
