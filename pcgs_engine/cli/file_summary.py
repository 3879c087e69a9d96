"""What `inspect` and `eval` say: FileInfo and measured quality in, JSON and text out."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..codec.cut_points import CutPoint
from ..codec.inspect import FileInfo, inspect_file
from ..protocol import LevelResult, Status
from .report import level_table

if TYPE_CHECKING:
    from ..training.evaluate import LevelQuality

__all__ = [
    "cut_text",
    "finite_or_none",
    "info_text",
    "info_to_dict",
    "level_results",
    "quality_status",
]


def info_to_dict(info: FileInfo) -> dict[str, object]:
    """Return the object of `inspect --json`; scripts rely on its keys."""
    return {
        "format_version": info.format_version,
        "anchors": info.anchors,
        "levels": [
            {
                "level": level.level,
                "bytes": level.bytes,
                "anchors": level.anchors,
                "splats": level.splats,
                "psnr": finite_or_none(level.psnr),
                "digest": level.digest,
            }
            for level in info.levels
        ],
        "components": [
            {"level": part.level, "type": part.type, "bytes": part.bytes, "parts": part.parts}
            for part in info.components
        ],
        "cut_points": [
            {"level": cut.level, "part": cut.part, "bytes": cut.end} for cut in info.cut_points
        ],
        "thumbnail_bytes": info.thumbnail_bytes,
        "received": info.received,
        "complete": info.complete,
    }


def info_text(info: FileInfo, name: str) -> str:
    """Return what a person wants to know of a file."""
    title = info.metadata.get("title")
    about = f" ({title})" if isinstance(title, str) and title.isprintable() else ""
    total = info.file_size
    head = f"{name}{about}: format {info.format_version}, {info.anchors} anchors, {total} bytes"
    rows = [
        LevelResult(
            level=level.level,
            bytes=level.bytes,
            anchors=level.anchors,
            splats=level.splats,
            psnr=finite_or_none(level.psnr),
            ssim=finite_or_none(level.ssim),
        )
        for level in info.levels
    ]
    parts = ["component   level  parts        bytes"]
    parts += [f"{p.type:<11} {p.level:>5} {p.parts:>6} {p.bytes:>12}" for p in info.components]
    first, last = info.cut_points[0].end, info.cut_points[-1].end
    cuts = f"can be cut at {len(info.cut_points)} places from {first} to {last} bytes"
    return "\n".join([head, *_shortage(info), "", level_table(rows), "", *parts, "", cuts])


def _shortage(info: FileInfo) -> list[str]:
    """Say what is usable where the file is cut off, or that something follows it."""
    if info.complete:
        return []
    if info.received > info.file_size:
        return [f"damaged: {info.received - info.file_size} foreign bytes follow the end"]
    cut = info.reached
    usable = "no level is usable" if cut is None else f"usable: {cut_text(cut)}"
    return [
        f"incomplete: {info.file_size - info.received} bytes are missing, "
        f"{info.received} are here; {usable}"
    ]


def cut_text(cut: CutPoint) -> str:
    """Return how far a file or prefix goes, in words."""
    if cut.part == 0:
        return f"up to level {cut.level}" + (" without refinements" if cut.partial else "")
    packages = f"{cut.part} refinement package{'s' if cut.part > 1 else ''}"
    return f"up to level {cut.level}, {packages}"


def level_results(path: Path, qualities: "Sequence[LevelQuality]" = ()) -> tuple[LevelResult, ...]:
    """Return sizes of all levels of a file, with measured quality where there is some."""
    measured = {quality.level: quality for quality in qualities}
    found = []
    for level in inspect_file(path).levels:
        quality = measured.get(level.level)
        found.append(
            LevelResult(
                level=level.level,
                bytes=level.bytes,
                anchors=level.anchors,
                splats=level.splats,
                psnr=None if quality is None else finite_or_none(quality.psnr),
                ssim=None if quality is None else finite_or_none(quality.ssim),
            )
        )
    return tuple(found)


def quality_status(quality: "LevelQuality") -> Status:
    """Return a line about a level just judged."""
    return Status(
        text=f"level {quality.level}: {quality.psnr:.2f} dB, SSIM {quality.ssim:.4f} "
        f"over {len(quality.views)} views"
    )


def finite_or_none(value: float | None) -> float | None:
    """Return `value`, or None where JSON could not hold it."""
    return value if value is not None and math.isfinite(value) else None
