"""Which file an object shows: an object (original or evaluated) in, its `SplatFile` out."""

import os
from pathlib import Path

import bpy

from ..files import SplatFile, splat_files

__all__ = [
    "absolute_path",
    "file_of_object",
    "identity_of_object",
    "is_packed",
    "is_splats",
    "splat_objects",
]

PATH_PROPERTY = "pcgs.filepath"


def is_splats(obj: bpy.types.Object | None) -> bool:
    """Return whether an object is one of ours."""
    return obj is not None and obj.type == "MESH" and obj.pcgs.is_splats


def splat_objects() -> list[bpy.types.Object]:
    """Return all splat objects of the open .blend, linked ones included."""
    return [obj for obj in bpy.data.objects if is_splats(obj)]


def is_packed(obj: bpy.types.Object) -> bool:
    """Return whether the file is stored inside the .blend."""
    return bool(obj.original.data.pcgs.digest)


def absolute_path(obj: bpy.types.Object) -> Path | None:
    """Return where the file of an object lies; None where it names none."""
    source = obj.original
    text = source.pcgs.filepath
    if not text:
        return None
    library = _library_of_path(source)
    if text.startswith("//") and library is None and not bpy.data.filepath:
        return None  # relative to a .blend that is not saved yet
    return Path(os.path.normpath(bpy.path.abspath(text, library=library))).absolute()


def _library_of_path(obj: bpy.types.Object) -> bpy.types.Library | None:
    """Return the .blend that an object's path is relative to; None: the open one."""
    override = obj.override_library
    if override is None:
        return obj.library
    own = any(entry.rna_path == PATH_PROPERTY for entry in override.properties)
    return None if own else override.reference.library


def file_of_object(obj: bpy.types.Object) -> SplatFile | None:
    """Return the file an object shows, decoding started; None where it names none.

    Reads only, so panels and draw handlers may call it.
    """
    mesh = obj.original.data
    if mesh.pcgs.digest:
        return splat_files.open_packed(mesh.pcgs.digest, lambda: mesh.pcgs.packed)
    path = absolute_path(obj)
    return splat_files.open_path(path) if path else None


def identity_of_object(obj: bpy.types.Object) -> str | None:
    """Return the registry key of an object's file without opening it."""
    mesh = obj.original.data
    if mesh.pcgs.digest:
        return f"packed:{mesh.pcgs.digest}"
    path = absolute_path(obj)
    return str(path) if path else None
