"""Make Point Cloud: the active splat object's level as an object that is all Blender's own."""

import bpy

from .. import ids
from ..objects.file_of_object import file_of_object
from ..objects.point_cloud import (
    can_make_point_clouds,
    make_point_cloud,
    presentable,
    splat_kind,
)
from .active_splats import active_splats, decoded_splats, needs_splats

__all__ = ["CLASSES"]

PLACEMENT = (
    "rotation_mode",
    "parent",
    "parent_type",
    "parent_bone",
    "parent_vertices",
    "matrix_parent_inverse",
)
"""Set before the world matrix, which is given relative to them."""


class PCGS_OT_make_point_cloud(bpy.types.Operator):
    """Make a point cloud of the shown level."""

    bl_idname = ids.MAKE_POINT_CLOUD
    bl_label = "Make Point Cloud"
    bl_description = (
        "Copy the shown level into a point cloud with the splats' attributes, for geometry nodes. "
        "Blender 5.3 and newer draw and render it themselves; the splat object is then hidden"
    )
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a local splat object, and a Blender that lets scripts fill point clouds."""
        if not can_make_point_clouds():
            cls.poll_message_set("Needs Blender 5.2 or newer; Export PLY works in this one")
            return False
        if not needs_splats(cls, context):
            return False
        if context.mode != "OBJECT":
            cls.poll_message_set("Leave the object's edit mode first")
            return False
        if context.object.library is not None:
            cls.poll_message_set("The object is linked: do this in the .blend it comes from")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Fill a point cloud and put it where the splats are."""
        source = active_splats(context)
        file = file_of_object(source) if source is not None else None
        if source is None or file is None:
            self.report({"ERROR"}, "The object names no file; use Find File")
            return {"CANCELLED"}
        if source.pcgs.level == 0:
            self.report({"ERROR"}, "Level 0 is only the box; choose a higher Level first")
            return {"CANCELLED"}
        level = min(source.pcgs.level, file.levels or source.pcgs.level)
        cloud = decoded_splats(self, file, level)
        if cloud is None:
            return {"CANCELLED"}
        shown = presentable(cloud)
        name = f"{source.name} level {level}"
        made = bpy.data.objects.new(name, make_point_cloud(name, shown))
        _put(context, made, source)
        if splat_kind() is not None:
            _hide(source)
        self.report({"INFO"}, f"{len(shown):,} splats of level {level} in {made.name}")
        return {"FINISHED"}


def _put(context: bpy.types.Context, made: bpy.types.Object, source: bpy.types.Object) -> None:
    """Place an object as another one is, and select it alone."""
    context.collection.objects.link(made)
    for name in PLACEMENT:
        setattr(made, name, getattr(source, name))
    made.matrix_world = source.matrix_world
    for other in context.selected_objects:
        other.select_set(False)
    made.select_set(True)
    context.view_layer.objects.active = made


def _hide(source: bpy.types.Object) -> None:
    """Keep splats from being drawn twice: by the add-on, and by Blender in the point cloud."""
    source.hide_set(True)
    source.hide_render = True


CLASSES: tuple[type, ...] = (PCGS_OT_make_point_cloud,)
