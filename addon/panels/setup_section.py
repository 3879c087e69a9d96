"""Setting the training engine up, as the preferences, the sidebar and the dialog show it."""

from typing import TYPE_CHECKING

import bpy

from .. import ids
from ..paths import engine_environment
from ..setup.environment_folder import read_note
from ..setup.plan import SetupPlan, amount_text, largest_first
from ..setup.registry import setup_registry
from ..setup.setup_job import SetupJob
from ..setup.setup_state import Step
from .text_lines import draw_lines, draw_text

if TYPE_CHECKING:
    from ..preferences import PCGS_AP_preferences

__all__ = ["draw_plan", "draw_setup", "draw_setup_button"]

LOG_LINES = 8
"""Last lines of pip's output shown after a failure."""
SHOWN_PACKAGES = 4


def draw_setup(
    layout: bpy.types.UILayout, context: bpy.types.Context, preferences: "PCGS_AP_preferences"
) -> None:
    """Draw the preferences' section: state, sources, buttons."""
    job = setup_registry.job
    if job is not None and (job.running or job.state.step is Step.FAILED):
        _draw_job(layout, context, job)
    note = read_note(engine_environment(preferences.cache_folder))
    if note is not None and note.unchecked:
        text = f"Installed without a hash to check: {', '.join(note.unchecked)}"
        draw_text(layout, context, text, icon="INFO")
    row = layout.row(align=True)
    row.operator(ids.SET_UP_ENGINE, text="Set Up Again..." if note else "Set Up...", icon="IMPORT")
    row.operator(ids.REMOVE_ENGINE, text="Remove", icon="TRASH")
    column = layout.column()
    column.prop(preferences, "wheel_folder")
    column.prop(preferences, "package_index")


def draw_setup_button(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw the sidebar's way out of having no engine: the button, then the progress."""
    job = setup_registry.job
    if job is not None and (job.running or job.state.step is Step.FAILED):
        _draw_job(layout, context, job)
    if job is None or not job.running:
        layout.operator(ids.SET_UP_ENGINE, text="Set Up...", icon="IMPORT")


def draw_plan(
    layout: bpy.types.UILayout, context: bpy.types.Context, plan: SetupPlan, width: int
) -> None:
    """Draw what a set-up would do (dialog); `width` is the dialog's, in unscaled pixels."""
    if plan.problem:
        draw_text(layout, context, plan.problem, icon="ERROR", width=width)
    column = layout.column(align=True)
    unknown = any(not item.size for item in plan.unchecked)
    size = amount_text(plan.wheel_bytes) + (" and torch" if unknown else "")
    if plan.source.folder is None:
        text = f"Downloads {size} from {plan.source}"
        draw_text(column, context, text, icon="IMPORT", width=width)
    else:
        text = f"Installs {size} from {plan.source}, without the network"
        draw_text(column, context, text, icon="FILE_FOLDER", width=width)
    listed = [f"{name} ({amount_text(size)})" for name, size in largest_first(plan, SHOWN_PACKAGES)]
    draw_lines(column, context, ", ".join(listed), icon="PACKAGE", width=width)
    draw_lines(column, context, f"Into {plan.environment}", icon="DISK_DRIVE", width=width)
    text = f"Needs about {amount_text(plan.disk_bytes)} of disk space while installing"
    draw_lines(column, context, text, icon="BLANK1", width=width)
    for note in plan.notes:
        draw_text(column, context, note, icon="INFO", width=width)


def _draw_job(layout: bpy.types.UILayout, context: bpy.types.Context, job: SetupJob) -> None:
    state = job.state
    layout.progress(factor=state.share, type="BAR", text=job.progress_text)
    if job.running:
        layout.operator(ids.CANCEL_SETUP, text="Cancel", icon="CANCEL")
        return
    draw_text(layout, context, state.error, icon="ERROR")
    lines = list(state.log)[-LOG_LINES:]
    if lines:
        box = layout.box()
        box.label(text="Log", icon="TEXT")
        for line in lines:
            draw_lines(box, context, line)
