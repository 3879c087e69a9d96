"""Levels of a file in, a table of size, PSNR and splats in a panel out."""

from collections.abc import Sequence

import bpy

from pcgs_engine.codec.inspect import LevelInfo

__all__ = ["draw_level_table", "size_text"]


def draw_level_table(layout: bpy.types.UILayout, levels: Sequence[LevelInfo]) -> None:
    """Draw one row a level."""
    # One grid and not rows: all columns of a grid share their widths.
    grid = layout.box().grid_flow(row_major=True, columns=4, even_columns=True, align=True)
    for title in ("Level", "Size", "PSNR", "Splats"):
        grid.label(text=title)
    for level in levels:
        grid.label(text=str(level.level))
        grid.label(text=size_text(level.bytes))
        grid.label(text="-" if level.psnr is None else f"{level.psnr:.2f} dB")
        grid.label(text=f"{level.splats:,}")


def size_text(size: int) -> str:
    """Return bytes as kB or MB of 10^3 and 10^6."""
    return f"{size / 1e6:.2f} MB" if size >= 1_000_000 else f"{size / 1e3:.1f} kB"
