"""Which way of showing splats the running Blender offers, behind one interface.

Blender 4.2 to 5.2 draw no splats themselves: `DrawnBackend` draws them in a handler of the 3D
views. A Blender that draws splat point clouds itself gets a second class here; everything else
(objects, levels, files) stays as it is.
"""

from typing import Protocol

import bpy

from .draw_handler import draw_view
from .redraw_timer import stop_timers
from .session import viewport_session

__all__ = ["Backend", "DrawnBackend", "choose_backend"]


class Backend(Protocol):
    """A way of showing the splat objects of 3D views."""

    def start(self) -> None:
        """Begin showing; makes no gpu call."""
        ...

    def stop(self) -> None:
        """Show nothing any more and free everything."""
        ...


class DrawnBackend:
    """Draws with the gpu module."""

    def __init__(self) -> None:
        self._handle: object | None = None

    def start(self) -> None:
        """Add the draw handler; a Blender without windows has no views to draw."""
        if self._handle is None and not bpy.app.background:
            self._handle = bpy.types.SpaceView3D.draw_handler_add(
                draw_view, (), "WINDOW", "POST_VIEW"
            )

    def stop(self) -> None:
        """Remove it, stop timers and threads, free GPU memory."""
        if self._handle is not None:
            bpy.types.SpaceView3D.draw_handler_remove(self._handle, "WINDOW")
            self._handle = None
        stop_timers()
        viewport_session.clear()


def choose_backend() -> Backend:
    """Return the back end for the running Blender."""
    return DrawnBackend()
