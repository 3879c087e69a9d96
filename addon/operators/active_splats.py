"""The object an operator of files works on: a context in, the active splat object out."""

import bpy

from ..objects.file_of_object import is_splats

__all__ = ["active_splats", "needs_editable_splats", "needs_splats"]


def active_splats(context: bpy.types.Context) -> bpy.types.Object | None:
    """Return the active object where it shows splats."""
    obj = context.object
    return obj if is_splats(obj) else None


def needs_splats(cls: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Poll: a splat object is active; says so where none is."""
    if active_splats(context) is None:
        cls.poll_message_set("Select an object that shows splats")
        return False
    return True


def needs_editable_splats(cls: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Poll: the same, and its file may be changed here."""
    if not needs_splats(cls, context):
        return False
    obj = context.object
    if obj.library is not None or obj.data.library is not None:
        cls.poll_message_set("The object is linked: change it in the .blend it comes from")
        return False
    return True
