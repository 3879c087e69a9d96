"""Path properties: which options tell Blender that a path may begin with `//`."""

import bpy
from bpy.props import StringProperty

__all__ = ["PATH_OPTIONS", "operator_file_path"]

# Since 4.5 Blender warns at every path that begins with // unless told that these are fine; before,
# it does not know the option.
PATH_OPTIONS = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set()


def operator_file_path(description: str) -> object:
    """Return the `filepath` of an operator; hidden, so that presets do not remember it."""
    return StringProperty(
        name="File Path",
        description=description,
        subtype="FILE_PATH",
        options={"HIDDEN", "SKIP_SAVE", *PATH_OPTIONS},
    )
