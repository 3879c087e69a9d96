"""Splat objects: Blender objects that show a splat file."""

from . import relative_paths, session
from .create import create_splat_object, set_file
from .file_of_object import absolute_path, file_of_object, is_packed, is_splats, splat_objects
from .open_splats import open_splats
from .up_axis import UpAxis
from .visible import SplatInstance, visible_instances

__all__ = [
    "CLASSES",
    "SplatInstance",
    "UpAxis",
    "absolute_path",
    "create_splat_object",
    "file_of_object",
    "is_packed",
    "is_splats",
    "open_splats",
    "register",
    "set_file",
    "splat_objects",
    "unregister",
    "visible_instances",
]

CLASSES: tuple[type, ...] = ()


def register() -> None:
    """Add handlers."""
    relative_paths.register()
    session.register()


def unregister() -> None:
    """Remove handlers and timers, stop all decoding."""
    session.unregister()
    relative_paths.unregister()
