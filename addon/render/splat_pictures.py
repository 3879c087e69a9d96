"""SplatPictures: what a way of drawing gives a render, whichever processor does it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["PictureError", "SplatPictures"]

Floats = npt.NDArray[np.float32]


class PictureError(Exception):
    """The splats cannot be drawn; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplatPictures:
    """Bottom row first, premultiplied, colours as trained (sRGB values), `[H, W, 4]`."""

    front: Floats
    """Splats before what hides them."""
    whole: Floats
    """All splats; equal to `front` where nobody needs them (nothing is half hidden)."""
