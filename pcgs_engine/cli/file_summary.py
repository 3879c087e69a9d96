"""What `inspect` and `eval` say: FileInfo and measured quality in, JSON and text out."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..codec import FileInfo, inspect_file
from ..protocol import LevelResult, Status
from .report import level_table

if TYPE_CHECKING:
    from ..training.evaluate import LevelQuality

__all__ = [
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
            {"level": part.level, "type": part.type, "bytes": part.bytes}
            for part in info.components
        ],
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
    parts = ["component   level        bytes"]
    parts += [f"{p.type:<11} {p.level:>5} {p.bytes:>12}" for p in info.components]
    return "\n".join([head, "", level_table(rows), "", *parts])


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
