"""Image and mask files -> sizes and 8-bit arrays, by pillow.

EXIF orientation is not applied: camera files describe the stored pixels.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from ..errors import SceneError
from .source_file import unreadable

__all__ = ["StoredImage", "read_image", "read_image_size", "read_mask"]

_REMEDY = "replace the file or remove the image from the camera file"
_SIXTEEN_TO_EIGHT = 257
"""65535 / 255."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage:
    """Pixels as stored."""

    rgb: npt.NDArray[np.uint8]
    """`[H, W, 3]`, not multiplied by alpha."""
    alpha: npt.NDArray[np.uint8] | None
    """`[H, W]`, or None where the file has none."""


def read_image_size(path: Path) -> tuple[int, int]:
    """Return width and height from the header, without decoding pixels.

    Raises:
        SceneError: missing, unreadable, empty, or not an image.
    """
    with _open(path) as image:
        return image.size


def read_image(path: Path) -> StoredImage:
    """Return the pixels of an image of any common mode as 8-bit sRGB.

    Raises:
        SceneError: unreadable or damaged.
    """
    with _open(path) as image:
        pixels = _decode(image, path)
    if pixels.ndim == 2:
        return StoredImage(rgb=np.repeat(pixels[:, :, None], 3, axis=2), alpha=None)
    alpha = np.ascontiguousarray(pixels[:, :, 3]) if pixels.shape[2] == 4 else None
    return StoredImage(rgb=np.ascontiguousarray(pixels[:, :, :3]), alpha=alpha)


def read_mask(path: Path) -> npt.NDArray[np.bool_]:
    """Return which pixels of a mask count, `[H, W]`: those with any non-zero channel.

    Raises:
        SceneError: unreadable or damaged.
    """
    image = read_image(path)
    return np.asarray(image.rgb.any(axis=2))


def _open(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except UnidentifiedImageError as error:
        empty = path.stat().st_size == 0
        found = "file is empty (0 bytes)" if empty else "not an image, or damaged"
        raise SceneError(f"{path}: {found}; {_REMEDY}") from error
    except Image.DecompressionBombError as error:
        raise SceneError(f"{path}: image is too large ({error}); shrink it first") from error
    except OSError as error:
        raise unreadable(path, error) from error


def _decode(image: Image.Image, path: Path) -> npt.NDArray[np.uint8]:
    """Return `[H, W]` grey, `[H, W, 3]` or `[H, W, 4]`."""
    try:
        if image.mode in ("I", "F") or image.mode.startswith("I;16"):
            return _eight_bit(np.asarray(image))
        has_alpha = "A" in image.getbands() or "transparency" in image.info
        return np.array(image.convert("RGBA" if has_alpha else "RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise SceneError(f"{path}: pixels cannot be decoded ({reason}); {_REMEDY}") from error


def _eight_bit(grey: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Return 16-bit, 32-bit or float grey pixels as 8 bit."""
    values = np.nan_to_num(grey.astype(np.float64))
    if np.issubdtype(grey.dtype, np.floating):
        values *= 255 if values.max(initial=0) <= 1 else 1
    else:
        values /= _SIXTEEN_TO_EIGHT
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)
