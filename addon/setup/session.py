"""The set-up's part of a Blender session: a timer that polls, the status bar, and the end."""

import bpy

from .. import ids
from ..engine.registry import engine_registry
from ..engine.requests import start_check
from ..engine.session import redraw
from ..engine.session import start_polling as start_engine_polling
from ..status_bar import redraw_status_bar
from .registry import setup_registry
from .setup_state import Step

__all__ = ["CLASSES", "finish_setup", "register", "start_polling", "unregister"]

CLASSES: tuple[type, ...] = ()
SECONDS = 0.25
STATUS_WIDTH = 18.0
"""Of the progress bar, in widths of a button."""
QUIT_SECONDS = 3.0
"""Given to a set-up to end its children when Blender quits."""


def start_polling() -> None:
    """Poll by timer until the set-up has ended; in background mode callers wait instead."""
    if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=SECONDS, persistent=True)


def finish_setup() -> None:
    """Let the add-on use the environment that was set up or removed."""
    engine_registry.forget_report()


def register() -> None:
    """Add the status bar's text."""
    bpy.types.STATUSBAR_HT_header.append(_draw_status)


def unregister() -> None:
    """Remove it; a running set-up is cancelled, what it has downloaded is kept."""
    bpy.types.STATUSBAR_HT_header.remove(_draw_status)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    if setup_registry.running_job is not None:
        setup_registry.running_job.cancel()
        setup_registry.running_job.wait(QUIT_SECONDS)
    setup_registry.job = None


def _tick() -> float | None:
    redraw_status_bar()
    redraw()
    if setup_registry.running_job is not None:
        return SECONDS
    job = setup_registry.job
    if job is not None and job.state.step is Step.DONE:
        finish_setup()
        start_check(bpy.context, self_test=True)
        start_engine_polling()
    return None


def _draw_status(self: bpy.types.Header, context: bpy.types.Context) -> None:
    job = setup_registry.running_job
    if job is not None:
        row = self.layout.row(align=True)
        bar = row.row(align=True)
        bar.ui_units_x = STATUS_WIDTH
        bar.progress(factor=job.state.share, type="BAR", text=job.progress_text)
        row.operator(ids.CANCEL_SETUP, text="", icon="X")
