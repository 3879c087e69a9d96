"""PCGS for Blender: registers the parts of the add-on, nothing else.

Every part is a package or module with `CLASSES` and, where it keeps handlers, menus or timers,
`register()` and `unregister()`. After the last of them `unload` lets go of files and modules.
"""

import contextlib
from types import ModuleType

import bpy

from .unload import forget_modules, let_go, missing_package

try:
    from . import objects, operators, panels, preferences, properties, render, viewport
    from .engine import session
    from .setup import session as setup_session
except ModuleNotFoundError as error:
    forget_modules()  # what did import must not meet the files of another zip
    reason = missing_package(error)
    if reason is None:
        raise
    raise reason from None

PARTS: tuple[ModuleType, ...] = (
    properties,
    preferences,
    objects,
    session,
    setup_session,
    operators,
    panels,
    viewport,
    render,
)
"""In order of registration; unregistered in reverse."""


def register() -> None:
    """Register all parts; where one fails all before it is undone and the error goes on."""
    with contextlib.ExitStack() as undo:
        for part in PARTS:
            for cls in part.CLASSES:
                bpy.utils.register_class(cls)
                undo.callback(bpy.utils.unregister_class, cls)
            if hasattr(part, "register"):
                part.register()
                undo.callback(part.unregister)
        undo.pop_all()  # all is well, so nothing is undone


def unregister() -> None:
    """Undo `register` in reverse."""
    for part in reversed(PARTS):
        if hasattr(part, "unregister"):
            part.unregister()
        for cls in reversed(part.CLASSES):
            bpy.utils.unregister_class(cls)
    let_go()
