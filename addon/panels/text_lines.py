"""A long message in, lines that fit a panel out: Blender's labels neither wrap nor scroll."""

import textwrap

import bpy

__all__ = ["draw_lines", "draw_text"]

PIXELS_PER_CHARACTER = 6.5
"""Mean width in the interface font at a resolution scale of 1."""


def draw_text(
    layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE"
) -> None:
    """Draw a sentence for the user; the engine writes its errors without a capital."""
    first = text.split(" ", 1)[0]
    # Paths, options and file names stay as they are.
    plain = first.rstrip(",;:").isalpha()
    draw_lines(layout, context, text[:1].upper() + text[1:] if plain else text, icon)


def draw_lines(
    layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE"
) -> None:
    """Draw `text` wrapped to the width of the region; the icon stands before the first line."""
    scale = context.preferences.system.ui_scale or 1.0  # 0 in background mode
    width = context.region.width if context.region else 300
    columns = max(int(width / (PIXELS_PER_CHARACTER * scale)) - 6, 16)
    column = layout.column(align=True)
    # Paths are one long word.
    lines = textwrap.wrap(text, columns, break_long_words=True) or [""]
    for index, line in enumerate(lines):
        column.label(text=line, icon=icon if index == 0 else "BLANK1" if icon != "NONE" else "NONE")
