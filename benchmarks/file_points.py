"""A `.pcgs` file and its images in, bytes and held-out quality at its cut points out.

The file is fed once, cut point by cut point; what is decoded by then is drawn by the head itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pcgs_engine.codec import FileInfo, ProgressiveDecoder, inspect_file
from pcgs_engine.model.attribute_head import AttributeHead
from pcgs_engine.render.rasterizer import Rasterizer
from pcgs_engine.scene.image_store import ImageStore
from pcgs_engine.scene.load_scene import load_scene
from pcgs_engine.scene.scene import Scene, View
from pcgs_engine.training.evaluate import LevelRenderer, ViewQuality, evaluate_level

__all__ = ["Point", "file_points", "scene_of", "spread"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What one prefix shows."""

    bytes: int
    level: int
    part: int
    level_ends: bool
    gaussians: int
    psnr: float
    ssim: float
    views: tuple[ViewQuality, ...] = ()
    """Each held-out view, at the end of a level; else none."""


def scene_of(info: FileInfo, path: Path) -> Scene:
    """Return the image set at the size and over the background the file was trained with."""
    return load_scene(
        path,
        max_size=info.metadata["training"]["max_size"],  # type: ignore[index]
        background=info.metadata["background"],  # type: ignore[arg-type]
    )


def spread(views: Sequence[View], count: int) -> Sequence[View]:
    """Return `count` views, evenly spread; all for 0."""
    return views[:: max(len(views) // count, 1)][:count] if count else views


def file_points(
    file: Path, scene_path: Path, rasterizer: Rasterizer, *, views: int = 0
) -> list[Point]:
    """Judge every cut point on `views` held-out views; all for 0."""
    info, data = inspect_file(file), file.read_bytes()
    scene = scene_of(info, scene_path)
    decoder, store, points = ProgressiveDecoder(), ImageStore(scene.background), []
    done = 0
    for cut in info.cut_points:
        decoder.feed(data[done : cut.end])
        done, anchors = cut.end, decoder.newest_anchors()
        renderer = LevelRenderer(
            anchors,
            AttributeHead.from_weights(decoder.head, decoder.config),
            rasterizer=rasterizer,
            background=scene.background,
        )
        quality = evaluate_level(renderer, spread(scene.test_views, views), store)
        points.append(
            Point(
                bytes=cut.end, level=cut.level, part=cut.part, level_ends=not cut.partial,
                gaussians=anchors.num_gaussians, psnr=quality.psnr, ssim=quality.ssim,
                views=() if cut.partial else quality.views,
            )
        )  # fmt: skip
    return points
