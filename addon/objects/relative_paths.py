"""Keeps `//` paths of splat objects right when a .blend is saved elsewhere or appended from.

Blender does so for its own paths; it does not know those of add-ons.
"""

from dataclasses import dataclass, field
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from .create import stored_path
from .file_of_object import absolute_path, is_splats, splat_objects

__all__ = ["register", "unregister"]


@dataclass(slots=True)
class _Saving:
    """What a save in progress has changed: names and former paths."""

    folder: Path | None = None
    """Folder of the .blend before the save."""
    former: dict[str, str] = field(default_factory=dict)


_saving = _Saving()


@persistent
def _before_save(target: str, *_: object) -> None:
    """Rewrite paths for the folder the .blend is about to be in."""
    _saving.former.clear()
    _saving.folder = Path(bpy.data.filepath).parent if bpy.data.filepath else None
    folder = Path(target).parent if isinstance(target, str) and target else None
    if folder is None or folder == _saving.folder:
        return
    first_save = _saving.folder is None
    wanted = bpy.context.preferences.filepaths.use_relative_paths
    for obj in splat_objects():
        text = obj.pcgs.filepath
        path = absolute_path(obj)
        moves = text.startswith("//") or (first_save and wanted)
        if obj.library is None and not obj.override_library and path is not None and moves:
            _saving.former[obj.name] = text
            obj.pcgs.filepath = _relative(path, folder)


@persistent
def _after_save(*_: object) -> None:
    """Put paths back where the open file stayed where it was: Save Copy, or a failed save."""
    folder = Path(bpy.data.filepath).parent if bpy.data.filepath else None
    if folder == _saving.folder:
        for name, text in _saving.former.items():
            obj = bpy.data.objects.get(name)
            if obj is not None:
                obj.pcgs.filepath = text
    _saving.former.clear()


@persistent
def _after_import(context: "bpy.types.BlendImportContext", *_: object) -> None:
    """Make paths of appended objects relative to the open file, as they name the other's folder."""
    for item in context.import_items:
        obj, library = item.id, item.source_library
        if item.id_type != "OBJECT" or obj is None or obj.library is not None or library is None:
            continue
        if is_splats(obj) and obj.pcgs.filepath.startswith("//"):
            path = bpy.path.abspath(obj.pcgs.filepath, library=library)
            obj.pcgs.filepath = stored_path(Path(path))


def _relative(path: Path, folder: Path) -> str:
    try:
        return bpy.path.relpath(str(path), start=str(folder))
    except ValueError:  # another drive
        return str(path)


_HANDLERS = (
    ("save_pre", _before_save),
    ("save_post", _after_save),
    ("save_post_fail", _after_save),
    ("blend_import_post", _after_import),  # since 4.3
)


def register() -> None:
    """Add the handlers."""
    for name, handler in _HANDLERS:
        if hasattr(bpy.app.handlers, name):
            getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    """Remove them."""
    for name, handler in reversed(_HANDLERS):
        handlers = getattr(bpy.app.handlers, name, ())
        if handler in handlers:
            handlers.remove(handler)
    _saving.former.clear()
