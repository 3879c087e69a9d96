"""Showing splats in the 3D views: which way, and the one of them that is ours.

1. Splat objects, in every Blender: `DrawnBackend` draws what `objects.visible_instances` gives in a
   handler of the 3D views (renders likewise: `render`).
2. Point clouds of Blender's own Gaussian splat kind, where the running Blender has it: made of a
   level by Make Point Cloud (`objects.point_cloud`), drawn and rendered by Blender, nothing to
   start here.

So that nothing is drawn twice, Make Point Cloud hides the splat object (eye and render) where the
second way exists: `visible_instances` gives no hidden ones. Shown again it is drawn again.
"""

import bpy

from .draw_handler import draw_view
from .redraw_timer import stop_timers
from .session import viewport_session

__all__ = ["DrawnBackend"]


class DrawnBackend:
    """Draws with the gpu module."""

    def __init__(self) -> None:
        self._handle: object | None = None

    def start(self) -> None:
        """Add the draw handler; makes no gpu call. Without windows there are no views to draw."""
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
