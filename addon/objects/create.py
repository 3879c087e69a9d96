"""Make an object show a splat file: path, name, level and rotation in, object out."""

from pathlib import Path

import bpy
from mathutils import Quaternion

from ..properties.object_settings import LEVEL_MAX
from .box_mesh import make_box
from .file_of_object import file_of_object
from .session import collect_soon, wake

__all__ = ["create_splat_object", "set_file", "stored_path"]


def create_splat_object(
    context: bpy.types.Context,
    path: Path,
    *,
    name: str,
    levels: int = 0,
    level: int = LEVEL_MAX,
    rotation: Quaternion | None = None,
) -> bpy.types.Object:
    """Create an object in the active collection and start decoding its file.

    Args:
        context: its collection takes the object.
        path: absolute path of a `.pcgs` or splat PLY.
        name: wanted name.
        levels: levels of the file, 0 where not known yet.
        level: level shown in the viewport; those the file lacks mean its last one.
        rotation: from the file's axes to Blender's; None leaves them.
    """
    obj = bpy.data.objects.new(name, make_box(name))
    settings = obj.pcgs
    settings.is_splats = True
    settings.levels = levels
    settings.filepath = stored_path(path)
    settings.level = level
    settings.render_level = LEVEL_MAX
    if rotation is not None:
        obj.rotation_mode = "XYZ"
        obj.rotation_euler = rotation.to_euler("XYZ")
    context.collection.objects.link(obj)
    file_of_object(obj)
    collect_soon()  # scripts may delete and create without an update between
    wake()
    return obj


def set_file(obj: bpy.types.Object, path: Path, *, levels: int = 0) -> None:
    """Let a splat object show another file, at the same levels as far as it has them.

    A level that was the last one becomes the new file's last one.
    """
    settings = obj.pcgs
    wanted = {
        name: LEVEL_MAX if value >= settings.levels else value
        for name, value in (("level", settings.level), ("render_level", settings.render_level))
    }
    obj.data.pcgs.digest = ""
    obj.data.pcgs.packed = b""
    settings.levels = levels
    settings.filepath = stored_path(path)
    for name, value in wanted.items():
        setattr(settings, name, value)
    file_of_object(obj)
    collect_soon()
    wake()


def stored_path(path: Path) -> str:
    """Return a path as the .blend stores it: relative where that is possible and wanted."""
    if bpy.data.filepath and bpy.context.preferences.filepaths.use_relative_paths:
        try:
            return bpy.path.relpath(str(path))
        except ValueError:  # another drive
            pass
    return str(path)
