"""The engine's state as a panel shows it: which Python, versions, device, or what is wrong."""

import bpy

from .. import ids
from ..engine.registry import engine_registry
from .text_lines import draw_text

__all__ = ["draw_engine", "draw_engine_problem"]


def draw_engine(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw the check button and the last check's findings (preferences)."""
    report = engine_registry.report
    checking = engine_registry.check is not None
    text = "Checking..." if checking else "Check Engine"
    layout.operator(ids.CHECK_ENGINE, text=text, icon="FILE_REFRESH")
    if report is None:
        return
    column = layout.column(align=True)
    column.label(text=f"{report.candidate.source}: {report.candidate.python}", icon="CONSOLE")
    if report.usable:
        versions = f"Python {report.python_version}, engine {report.engine}, torch {report.torch}"
        column.label(text=versions, icon="CHECKMARK")
        draw_text(column, context, f"Trains on {report.device}", icon="MEMORY")
    else:
        draw_text(column, context, report.problem, icon="ERROR")


def draw_engine_problem(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw why nothing can be trained, and where to change it (train panel)."""
    report = engine_registry.report
    if report is None or report.usable:
        return
    box = layout.box()
    draw_text(box, context, report.problem, icon="ERROR")
    row = box.row(align=True)
    shown = row.operator("preferences.addon_show", text="Preferences", icon="PREFERENCES")
    shown.module = ids.ADDON_PACKAGE
    row.operator(ids.CHECK_ENGINE, text="Check Again", icon="FILE_REFRESH")
