"""What a run shows for itself: picture strip, rate plot, level table.

In: pictures and numbers per level. Out: PNG files and text. Drawn with Pillow, which belongs to
the `train` extra and is therefore imported late; `level_table` needs nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..atomic_file import write_atomically
from ..protocol import LevelResult

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

__all__ = ["RatePoint", "level_table", "picture_strip", "rate_plot"]

Picture = npt.NDArray[np.uint8]
Color = tuple[int, int, int]

_INK: Color = (38, 42, 48)
_FAINT: Color = (224, 227, 231)
_PAPER: Color = (255, 255, 255)
_LINE: Color = (31, 105, 175)
_GAP = 6
_BAND = 26
_PLOT_SIZE = (720, 460)
_MARGIN = (72, 24, 28, 58)
"""Left, top, right, bottom of the plot area in pixels."""
_OVERSAMPLING = 3
"""Pillow draws without antialiasing, so plots are drawn larger and reduced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RatePoint:
    """One point of a rate-distortion plot."""

    bytes: int
    psnr: float
    """dB."""
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    """A linear scale with ticks from value range to pixel range."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]

    def place(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def text(self, value: float) -> str:
        step = self.ticks[1] - self.ticks[0]
        return f"{value:.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"


def level_table(rows: Sequence[LevelResult]) -> str:
    """Return an aligned Markdown table, one line per level.

    Unknown PSNR or SSIM show as `-`.
    """
    head = ["level", "bytes", "PSNR dB", "SSIM", "anchors", "splats"]
    cells = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]
    lines = [_row(line, widths) for line in cells]
    rule = "| " + " | ".join("-" * (width - 1) + ":" for width in widths) + " |"
    return "\n".join([lines[0], rule, *lines[1:]])


def picture_strip(path: Path, rows: Sequence[Sequence[Picture]], labels: Sequence[str]) -> None:
    """Save a grid of pictures as PNG: one row per view, one labelled column per level.

    Args:
        path: PNG file to write.
        rows: pictures `[H, W, 3] uint8`; every row has `len(labels)` of them, and all those of one
            column have the same width.
        labels: column titles.

    Raises:
        ValueError: the grid is empty or ragged.
        OutputError: the file cannot be written.
    """
    from PIL import Image, ImageDraw  # late: train extra

    if not rows or not labels or any(len(row) != len(labels) for row in rows):
        raise ValueError(f"wanted rows of {len(labels)} pictures, one per label")
    widths = [max(row[i].shape[1] for row in rows) for i in range(len(labels))]
    heights = [max(picture.shape[0] for picture in row) for row in rows]
    size = (sum(widths) + _GAP * (len(widths) + 1), sum(heights) + _GAP * len(heights) + _BAND)
    canvas = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(canvas)
    lefts = [_GAP + sum(widths[:i]) + _GAP * i for i in range(len(widths))]
    for left, width, label in zip(lefts, widths, labels, strict=True):
        font = _fitting_font(draw, label, width)
        draw.text((left + width / 2, _BAND / 2), label, fill=_INK, font=font, anchor="mm")
    top = _BAND
    for row, height in zip(rows, heights, strict=True):
        for left, picture in zip(lefts, row, strict=True):
            canvas.paste(Image.fromarray(np.ascontiguousarray(picture)), (left, top))
        top += height + _GAP
    _save(path, canvas)


def rate_plot(path: Path, points: Sequence[RatePoint], *, title: str = "") -> None:
    """Save PSNR over bytes as PNG: a line through all points in order of size, each labelled.

    Raises:
        ValueError: there is no point with a finite PSNR.
        OutputError: the file cannot be written.
    """
    from PIL import Image, ImageDraw  # late: train extra

    known = sorted((p for p in points if math.isfinite(p.psnr)), key=lambda p: p.bytes)
    if not known:
        raise ValueError("wanted at least one point with a finite PSNR")
    scale = _OVERSAMPLING
    size = (_PLOT_SIZE[0] * scale, _PLOT_SIZE[1] * scale)
    left, top, right, bottom = (edge * scale for edge in _MARGIN)
    unit, unit_name = _byte_unit(known[-1].bytes)
    x_axis = _axis(0.0, known[-1].bytes / unit * 1.08, left, size[0] - right)
    values = [p.psnr for p in known]
    pad = max(0.12 * (max(values) - min(values)), 0.25)
    y_axis = _axis(min(values) - pad, max(values) + 1.6 * pad, size[1] - bottom, top)
    canvas = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(canvas)
    _draw_axes(draw, x_axis, y_axis)
    middle = (left + size[0] - right) / 2
    font = _font(13 * scale)
    draw.text((middle, size[1] - 10 * scale), unit_name, fill=_INK, font=font, anchor="ms")
    draw.text((12 * scale, 8 * scale), "PSNR (dB)", fill=_INK, font=font, anchor="la")
    draw.text((middle, 8 * scale), title, fill=_INK, font=_font(14 * scale), anchor="ma")
    places = [(x_axis.place(p.bytes / unit), y_axis.place(p.psnr)) for p in known]
    _draw_points(draw, places, [p.label for p in known])
    _save(path, canvas.resize(_PLOT_SIZE, Image.Resampling.LANCZOS))


def _cells(row: LevelResult) -> list[str]:
    psnr = "-" if row.psnr is None else f"{row.psnr:.2f}"
    ssim = "-" if row.ssim is None else f"{row.ssim:.4f}"
    return [str(row.level), f"{row.bytes:,}", psnr, ssim, f"{row.anchors:,}", f"{row.splats:,}"]


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
    return "| " + " | ".join(padded) + " |"


def _byte_unit(largest: int) -> tuple[float, str]:
    if largest < 1_000:
        return 1.0, "size (bytes)"
    return (1e3, "size (kB)") if largest < 2_000_000 else (1e6, "size (MB)")


def _axis(low: float, high: float, start: float, end: float) -> _Axis:
    """Return an axis with four to nine round ticks."""
    if high <= low:
        high = low + 1.0
    step = 10.0 ** math.floor(math.log10((high - low) / 4.0))
    step = next(s for s in (step, 2 * step, 5 * step, 10 * step) if (high - low) / s <= 9.0)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    ticks = tuple(index * step for index in range(first, last + 1))
    return _Axis(low=low, high=high, start=start, end=end, ticks=ticks)


def _draw_axes(draw: "ImageDraw", x_axis: _Axis, y_axis: _Axis) -> None:
    scale = _OVERSAMPLING
    font = _font(12 * scale)
    for tick in y_axis.ticks:
        y = y_axis.place(tick)
        draw.line([(x_axis.start, y), (x_axis.end, y)], fill=_FAINT, width=scale)
        place = (x_axis.start - 8 * scale, y)
        draw.text(place, y_axis.text(tick), fill=_INK, font=font, anchor="rm")
    for tick in x_axis.ticks:
        x = x_axis.place(tick)
        draw.line([(x, y_axis.start), (x, y_axis.start + 5 * scale)], fill=_INK, width=scale)
        place = (x, y_axis.start + 9 * scale)
        draw.text(place, x_axis.text(tick), fill=_INK, font=font, anchor="ma")
    corner = (x_axis.start, y_axis.start)
    draw.line([(x_axis.start, y_axis.end), corner, (x_axis.end, y_axis.start)], fill=_INK, width=2)


def _draw_points(
    draw: "ImageDraw", places: Sequence[tuple[float, float]], labels: Sequence[str]
) -> None:
    scale = _OVERSAMPLING
    draw.line(list(places), fill=_LINE, width=2 * scale, joint="curve")
    radius = 4 * scale
    for (x, y), label in zip(places, labels, strict=True):
        box = (x - radius, y - radius, x + radius, y + radius)
        draw.ellipse(box, fill=_LINE, outline=_PAPER, width=scale)
        font = _font(12 * scale)
        # A rate curve rises and flattens: above left of a point is free, else below right.
        if x - radius - draw.textlength(label, font=font) > _MARGIN[0] * scale:
            draw.text((x - radius, y - radius), label, fill=_INK, font=font, anchor="rs")
        else:
            draw.text((x + radius, y + radius), label, fill=_INK, font=font, anchor="la")


def _font(size: float) -> "FreeTypeFont | ImageFont":
    from PIL import ImageFont  # late: train extra

    return ImageFont.load_default(size)


def _fitting_font(draw: "ImageDraw", text: str, width: float) -> "FreeTypeFont | ImageFont":
    """Return the largest font of 7 to 15 pixels in which `text` fits."""
    for size in range(15, 7, -1):
        font = _font(size)
        if draw.textlength(text, font=font) <= width:
            return font
    return _font(7)


def _save(path: Path, picture: "Image") -> None:
    write_atomically(path, lambda file: picture.save(file, "PNG", optimize=True))
