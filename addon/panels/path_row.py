"""A file or folder in, a row with its name and a button that opens its folder out."""

from pathlib import Path

import bpy

__all__ = ["draw_path"]


def draw_path(layout: bpy.types.UILayout, path: Path, note: str = "") -> None:
    """Draw the path's last part, a note behind it, and the button.

    A whole path takes three lines of a sidebar and still cannot be copied from there.
    """
    row = layout.row(align=True)
    is_folder = not path.suffix
    row.label(text=f"{path.name}{note}", icon="FILE_FOLDER" if is_folder else "FILE")
    opened = row.operator("wm.path_open", text="", icon="FILEBROWSER")
    opened.filepath = str(path if is_folder else path.parent)
