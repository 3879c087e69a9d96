"""Redraws Blender's status bar: nothing in, drawn anew. Main thread only."""

import bpy

__all__ = ["redraw_status_bar"]


def redraw_status_bar() -> None:
    """Let every window draw its status bar again.

    The bar belongs to no screen; setting its text is the only way to redraw it. Blender does that
    to the context's window, and a timer that runs right after a file was loaded has none: without
    the override Blender 4.3 to 5.2 end in a crash.
    """
    for window in bpy.context.window_manager.windows:
        with bpy.context.temp_override(window=window):
            window.workspace.status_text_set_internal(None)
