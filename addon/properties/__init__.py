"""Property groups: `Scene.pcgs` (what to train), `Object.pcgs` and `Mesh.pcgs` (what is shown)."""

import bpy
from bpy.props import PointerProperty

from .object_settings import PCGS_PG_mesh_settings, PCGS_PG_object_settings
from .scene_settings import PCGS_PG_scene_settings

__all__ = ["CLASSES", "register", "unregister"]

POINTERS: tuple[tuple[type, type], ...] = (
    (bpy.types.Scene, PCGS_PG_scene_settings),
    (bpy.types.Mesh, PCGS_PG_mesh_settings),
    (bpy.types.Object, PCGS_PG_object_settings),
)
"""Each datablock type and the group it holds as `.pcgs`."""

CLASSES: tuple[type, ...] = tuple(group for _, group in POINTERS)


def register() -> None:
    """Attach the groups."""
    for owner, group in POINTERS:
        owner.pcgs = PointerProperty(type=group, override={"LIBRARY_OVERRIDABLE"})


def unregister() -> None:
    """Detach them; values in open files stay stored and come back with the next register."""
    for owner, _ in reversed(POINTERS):
        del owner.pcgs
