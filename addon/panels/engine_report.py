"""The engine's state as the preferences show it: which Python, versions, device, what is wrong."""

import bpy

from .. import ids
from ..engine.registry import engine_registry
from .text_lines import draw_text

__all__ = ["draw_engine"]


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
        if report.speed:
            draw_text(column, context, report.speed, icon="TIME")
    else:
        draw_text(column, context, report.problem, icon="ERROR")
