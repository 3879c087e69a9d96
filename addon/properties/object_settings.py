"""`Object.pcgs`: which splat file an object shows and at which level; `Mesh.pcgs`: packed bytes."""

import bpy
from bpy.props import BoolProperty, IntProperty, StringProperty

from ..path_property import PATH_OPTIONS

__all__ = ["LEVEL_MAX", "USUAL_LEVELS", "PCGS_PG_mesh_settings", "PCGS_PG_object_settings"]

LEVEL_MAX = 16
"""Levels a file may have (FORMAT.md §9); also stands for "all there are" until a file is read."""
USUAL_LEVELS = 3
"""What presets write: the range of the sliders, which is the same for all objects."""


def _kept_in_file(name: str) -> object:
    """Return an update function that keeps a level within the file's once these are known."""

    def update(self: "PCGS_PG_object_settings", _: bpy.types.Context) -> None:
        # Assigning again calls this again, then with a value that needs no change.
        if self.levels and getattr(self, name) > self.levels:
            setattr(self, name, self.levels)

    return update


class PCGS_PG_object_settings(bpy.types.PropertyGroup):
    """What a splat object shows; saved in the .blend."""

    is_splats: BoolProperty(name="Splats", default=False, options={"HIDDEN"})
    filepath: StringProperty(
        name="File",
        description="The .pcgs (or splat PLY) file that is shown",
        subtype="FILE_PATH",
        options={"ANIMATABLE", *PATH_OPTIONS},
        override={"LIBRARY_OVERRIDABLE"},
    )
    level: IntProperty(
        name="Level",
        description="Quality level in the viewport; 0 shows the bounding box only",
        default=LEVEL_MAX,
        min=0,
        max=LEVEL_MAX,
        soft_max=USUAL_LEVELS,
        update=_kept_in_file("level"),
        override={"LIBRARY_OVERRIDABLE"},
    )
    render_level: IntProperty(
        name="Render Level",
        description="Quality level in renders; 0 renders nothing",
        default=LEVEL_MAX,
        min=0,
        max=LEVEL_MAX,
        soft_max=USUAL_LEVELS,
        update=_kept_in_file("render_level"),
        override={"LIBRARY_OVERRIDABLE"},
    )
    levels: IntProperty(
        name="Levels",
        description="Levels of the file when it was last read; 0: not known yet",
        default=0,
        min=0,
        max=LEVEL_MAX,
        options={"HIDDEN"},
    )


class PCGS_PG_mesh_settings(bpy.types.PropertyGroup):
    """The file itself, where it is packed into the .blend."""

    # A property of ours and not a custom property: the Custom Properties panel would draw it.
    packed: StringProperty(name="Packed File", subtype="BYTE_STRING", options={"HIDDEN"})
    digest: StringProperty(
        name="Digest",
        description="SHA-256 of the packed file; empty where nothing is packed",
        options={"HIDDEN"},
    )
