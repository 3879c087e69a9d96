"""Drawing splats: in the 3D views (a draw handler) and into pictures (`draw_splats`)."""

import bpy
from bpy.app.handlers import persistent

from .backend import DrawnBackend
from .draw_splats import SplatImage, draw_splats
from .painter import Painter
from .panel import PCGS_PT_viewport_notice
from .session import viewport_session
from .textures import UploadError
from .view_parameters import ViewParameters

__all__ = [
    "CLASSES",
    "Painter",
    "SplatImage",
    "UploadError",
    "ViewParameters",
    "draw_splats",
    "register",
    "unregister",
    "viewport_session",
]

CLASSES: tuple[type, ...] = (PCGS_PT_viewport_notice,)

_backend = DrawnBackend()


@persistent
def _before_load(*_: object) -> None:
    viewport_session.clear()


def register() -> None:
    """Begin drawing in the 3D views."""
    _backend.start()
    bpy.app.handlers.load_pre.append(_before_load)


def unregister() -> None:
    """Stop, and free everything."""
    bpy.app.handlers.load_pre.remove(_before_load)
    _backend.stop()
