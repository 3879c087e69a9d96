"""Posed images -> views.

Checks each file's header, fits the intrinsics to the stored size and shrinks the camera to the
training size.
"""

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import SceneError
from .camera import Camera
from .image_file import read_image_size
from .posed_image import PosedImage
from .scene import Distortion, View

__all__ = ["BuiltViews", "build_views"]

_ASPECT_TOLERANCE = 0.01
"""Images of another size are accepted where width/height differs by less than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltViews:
    """Views sorted by name, and what was adapted."""

    views: tuple[View, ...]
    warnings: tuple[str, ...]


def build_views(folder: Path, images: Sequence[PosedImage], *, max_size: int) -> BuiltViews:
    """Return one view for each image.

    Args:
        folder: the scene folder; view names are relative to it.
        images: posed images as the camera file describes them.
        max_size: longer side of the views in pixels; larger images are shrunk.

    Raises:
        SceneError: an image or mask cannot be opened or has another shape than its camera.
    """
    views, scaled = [], []
    for image in images:
        name = Path(os.path.relpath(image.image_path, folder)).as_posix()
        size = read_image_size(image.image_path)
        lens = _fit_lens(image, size)
        if lens is not image.lens:
            scaled.append((name, size, image.lens))
        views.append(_build_view(image, name, lens, max_size))
        _check_mask(image.mask_path, size)
    views.sort(key=lambda view: view.name)
    return BuiltViews(views=tuple(views), warnings=_scale_warning(scaled, len(images)))


def _build_view(image: PosedImage, name: str, lens: Distortion, max_size: int) -> View:
    camera = Camera(
        width=lens.width,
        height=lens.height,
        fx=lens.fx,
        fy=lens.fy,
        cx=lens.cx,
        cy=lens.cy,
        world_to_camera=image.world_to_camera,
    )
    longer = max(lens.width, lens.height)
    if longer > max_size:
        ratio = max_size / longer
        camera = camera.resized(
            max(1, round(lens.width * ratio)), max(1, round(lens.height * ratio))
        )
    return View(
        name=name,
        image_path=image.image_path,
        mask_path=image.mask_path,
        camera=camera,
        distortion=lens if any(lens.coefficients) else None,
    )


def _fit_lens(image: PosedImage, size: tuple[int, int]) -> Distortion:
    """Return the lens in pixels of the stored image."""
    lens, (width, height) = image.lens, size
    if (lens.width, lens.height) == size:
        return lens
    if not _same_aspect((lens.width, lens.height), size):
        raise SceneError(
            f"{image.image_path}: image is {width}x{height}, its camera is "
            f"{lens.width}x{lens.height}, wanted the same proportions; use the images the camera "
            "file was made for"
        )
    sx, sy = width / lens.width, height / lens.height
    return dataclasses.replace(
        lens,
        width=width,
        height=height,
        fx=lens.fx * sx,
        fy=lens.fy * sy,
        cx=lens.cx * sx,
        cy=lens.cy * sy,
    )


def _same_aspect(first: tuple[int, int], second: tuple[int, int]) -> bool:
    ratio = first[0] * second[1] / (first[1] * second[0])
    # One pixel of rounding is always allowed: it matters only for tiny images.
    tolerance = max(_ASPECT_TOLERANCE, 1 / min(*first, *second))
    return abs(ratio - 1) < tolerance


def _check_mask(path: Path | None, size: tuple[int, int]) -> None:
    if path is None:
        return
    found = read_image_size(path)
    if not _same_aspect(found, size):
        raise SceneError(
            f"{path}: mask is {found[0]}x{found[1]}, its image is {size[0]}x{size[1]}, wanted the "
            "same proportions; make the mask anew or remove it"
        )


def _scale_warning(
    scaled: Sequence[tuple[str, tuple[int, int], Distortion]], total: int
) -> tuple[str, ...]:
    if not scaled:
        return ()
    name, (width, height), lens = scaled[0]
    return (
        f"{len(scaled)} of {total} images have another size than their camera, intrinsics were "
        f"scaled (first: {name} is {width}x{height}, camera {lens.width}x{lens.height})",
    )
