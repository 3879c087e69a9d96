"""Timers: redraw the views when a sort or a cloud is ready, free what is not used.

They run only while there is something to wait for or to free.
"""

import bpy

from .cloud_keys import is_current
from .session import viewport_session

__all__ = ["ensure_timers", "stop_timers"]

WATCH_SECONDS = 0.01
TIDY_SECONDS = 1.0


def ensure_timers() -> None:
    """Start those that have something to do; called after every redraw with splats."""
    if viewport_session.is_busy and not bpy.app.timers.is_registered(_watch):
        bpy.app.timers.register(_watch, first_interval=WATCH_SECONDS, persistent=True)
    if not bpy.app.timers.is_registered(_tidy):
        bpy.app.timers.register(_tidy, first_interval=TIDY_SECONDS, persistent=True)


def stop_timers() -> None:
    """Remove them."""
    for function in (_watch, _tidy):
        if bpy.app.timers.is_registered(function):
            bpy.app.timers.unregister(function)


def _watch() -> float | None:
    if viewport_session.take_news():
        _tag_views()
    return WATCH_SECONDS if viewport_session.is_busy else None


def _tidy() -> float | None:
    viewport_session.tidy(is_current)
    return None if viewport_session.is_empty else TIDY_SECONDS


def _tag_views() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()
