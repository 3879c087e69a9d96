"""A long message in, lines that fit a panel out: Blender's labels neither wrap nor scroll."""

from collections.abc import Callable

import blf
import bpy

__all__ = ["draw_lines", "draw_text", "wrapped"]

FONT = 0
"""The interface font."""
MARGIN = 88
"""Pixels of a region that are no text at a resolution scale of 1: tabs, borders, a box, an icon."""
WIDTH_WITHOUT_REGION = 300


def draw_text(
    layout: bpy.types.UILayout,
    context: bpy.types.Context,
    text: str,
    icon: str = "NONE",
    width: int | None = None,
) -> None:
    """Draw a sentence for the user; the engine writes its errors without a capital."""
    first = text.split(" ", 1)[0]
    # Paths, options and file names stay as they are.
    plain = first.rstrip(",;:").isalpha()
    draw_lines(layout, context, text[:1].upper() + text[1:] if plain else text, icon, width)


def draw_lines(
    layout: bpy.types.UILayout,
    context: bpy.types.Context,
    text: str,
    icon: str = "NONE",
    width: int | None = None,
) -> None:
    """Draw `text` wrapped to the width of the region; the icon stands before the first line.

    Args:
        layout: where to.
        context: as in the caller's `draw`.
        text: one paragraph.
        icon: of the first line.
        width: a dialog's, in pixels at a resolution scale of 1: it is no region of its own.
    """
    scale = context.preferences.system.ui_scale or 1.0  # 0 in background mode
    region = context.region.width if context.region else WIDTH_WITHOUT_REGION * scale
    if width is not None:
        region = width * scale
    blf.size(FONT, context.preferences.ui_styles[0].widget.points * scale)
    lines = wrapped(text, region - MARGIN * scale, lambda part: blf.dimensions(FONT, part)[0])
    column = layout.column(align=True)
    for index, line in enumerate(lines):
        column.label(text=line, icon=icon if index == 0 else "BLANK1" if icon != "NONE" else "NONE")


def wrapped(text: str, limit: float, width: Callable[[str], float]) -> list[str]:
    """Return lines no wider than `limit`, broken at spaces; paths are one long word, cut anywhere.

    Args:
        text: one paragraph.
        limit: in the unit of `width`.
        width: measures a piece of text.
    """
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if width(joined) <= limit:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if lines[-1] and width(lines[-1] + letter) > limit:
                lines.append("")
            lines[-1] += letter
    return lines
