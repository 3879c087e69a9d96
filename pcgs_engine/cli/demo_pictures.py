"""The demo's picture strip: held-out photographs beside every level's rendering of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..config import Preset, preset_config
from ..protocol import LevelResult
from ..sample import sample_path
from ..scene.image_store import ImageStore
from ..scene.load_scene import load_scene
from .render import png_name
from .report import picture_strip

__all__ = ["write_strip"]


def write_strip(path: Path, renders: Path, levels: Sequence[LevelResult], *, count: int) -> None:
    """Save a grid: a row for each of `count` held-out views, the photograph first.

    Args:
        path: PNG file to write.
        renders: folder with `level_1/`, `level_2/`, ... as `pcgs render` makes them.
        levels: the columns after the photograph.
        count: rows, spread evenly over the held-out views.

    Raises:
        OutputError: the file cannot be written.
    """
    scene = load_scene(sample_path(), max_size=preset_config(Preset.PREVIEW).training.max_size)
    store = ImageStore(scene.background)
    views = scene.test_views
    chosen = [views[i * len(views) // count] for i in range(min(count, len(views)))]
    rows = [
        [
            store.load(view).rgb,
            *(_picture(renders / f"level_{r.level}" / png_name(view.name)) for r in levels),
        ]
        for view in chosen
    ]
    labels = ["original", *(_label(result) for result in levels)]
    picture_strip(path, rows, labels)


def _picture(path: Path) -> npt.NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _label(result: LevelResult) -> str:
    quality = "" if result.psnr is None else f", {result.psnr:.1f} dB"
    return f"level {result.level}: {result.bytes / 1000:.0f} kB{quality}"
