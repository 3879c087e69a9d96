"""Thumbnails of splat files as icons: a `SplatFile` in, an icon number for a layout out."""

import tempfile
from pathlib import Path

import bpy.utils.previews

from pcgs_engine.bitstream import image_kind
from pcgs_engine.errors import BitstreamError

from ..files import SplatFile
from ..files.byte_source import packed_digest
from ..files.picture_size import is_showable

__all__ = ["Thumbnails", "thumbnails"]


class Thumbnails:
    """Icons of the session; Blender reads them from files, so each lies in one for a moment."""

    def __init__(self) -> None:
        self._icons: bpy.utils.previews.ImagePreviewCollection | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def icon(self, file: SplatFile) -> int:
        """Return the icon's number; 0 where the file has no thumbnail that may be shown."""
        data = file.thumbnail
        if not data:
            return 0
        name = packed_digest(data)
        if self._icons is None or name not in self._icons:
            self._load(name, data)
        return self._icons[name].icon_id if self._icons is not None else 0

    def clear(self) -> None:
        """Free the icons and their files."""
        if self._icons is not None:
            bpy.utils.previews.remove(self._icons)
            self._icons = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _load(self, name: str, data: bytes) -> None:
        if self._icons is None:
            self._icons = bpy.utils.previews.new()
            self._folder = tempfile.TemporaryDirectory(prefix="pcgs_icons_")
        try:
            suffix = image_kind(data).value if is_showable(data) else ""
        except BitstreamError:
            suffix = ""
        if not suffix or self._folder is None:
            self._icons.new(name)  # an empty icon, so that it is not tried at every redraw
            return
        path = Path(self._folder.name) / f"{name}{suffix}"
        path.write_bytes(data)
        self._icons.load(name, str(path), "IMAGE")


thumbnails = Thumbnails()
"""The one collection; `unregister` clears it."""
