"""What an operator of files works on: a context in, the active splat object and its splats out."""

import bpy

from pcgs_engine.splats import SplatCloud

from ..files import SplatFile
from ..objects.file_of_object import is_splats

__all__ = ["active_splats", "decoded_splats", "needs_editable_splats", "needs_splats"]


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


def decoded_splats(operator: bpy.types.Operator, file: SplatFile, level: int) -> SplatCloud | None:
    """Return exactly this level's splats; where it is not decoded, report that and return None."""
    if bpy.app.background:
        file.wait(level=level)
    shown = file.shown(level)
    if shown is not None and shown.level == level:
        return shown.cloud
    why = file.message or "it is still being decoded"
    ready = file.levels_ready
    step = f"take level {ready} or wait" if ready else "wait, or fetch the file again"
    operator.report({"ERROR"}, f"Level {level} is not ready ({why}); {step}")
    return None
