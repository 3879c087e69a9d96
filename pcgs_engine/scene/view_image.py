"""Pixels of one view, ready for training: what `ImageStore.load` returns."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["ViewImage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewImage:
    """Pixels at the size of the view's camera; arrays are shared by the cache, do not write."""

    rgb: npt.NDArray[np.uint8]
    """sRGB colours `[H, W, 3]`, composited on the scene's background."""
    alpha: npt.NDArray[np.uint8] | None
    """Coverage `[H, W]`, 0..255, or None where the file has none."""
    valid: npt.NDArray[np.bool_] | None
    """Pixels to learn from `[H, W]`, or None where all are; False: masked or outside the lens."""

    @property
    def nbytes(self) -> int:
        """Memory of all arrays in bytes."""
        arrays = (self.rgb, self.alpha, self.valid)
        return sum(array.nbytes for array in arrays if array is not None)
