"""Views -> pixels at training size, loaded on demand and cached up to a memory budget."""

import threading
from collections import OrderedDict

import cv2
import numpy as np
import numpy.typing as npt

from ..errors import SceneError
from .distortion import UndistortMap, undistort, undistort_map
from .image_file import read_image, read_mask
from .scene import View
from .view_image import ViewImage

__all__ = ["ImageStore"]

DEFAULT_BUDGET_BYTES = 2 << 30
_FULLY_VALID = 0.999
"""A shrunken pixel counts only where all its source pixels do (up to rounding)."""

_Key = tuple[str, str, int, int]


class ImageStore:
    """Loads and caches view images; safe to share between threads.

    Two threads that ask for the same view at once may both read it; the result is the same.
    """

    def __init__(
        self,
        background: tuple[float, float, float],
        memory_budget_bytes: int = DEFAULT_BUDGET_BYTES,
    ) -> None:
        """Make an empty store.

        Args:
            background: colour in 0..1 behind images with alpha, `scene.background`.
            memory_budget_bytes: the images used longest ago are dropped beyond this size.
        """
        self._background = background
        self._budget = memory_budget_bytes
        self._lock = threading.Lock()
        self._images: OrderedDict[_Key, ViewImage] = OrderedDict()
        self._used = 0

    @property
    def used_bytes(self) -> int:
        """Memory of the cached images in bytes."""
        with self._lock:
            return self._used

    def load(self, view: View) -> ViewImage:
        """Return the pixels of `view` at the size of its camera.

        Raises:
            SceneError: the image or mask is unreadable, damaged, or changed its size.
        """
        key = (str(view.image_path), str(view.mask_path), view.camera.width, view.camera.height)
        with self._lock:
            if key in self._images:
                self._images.move_to_end(key)
                return self._images[key]
        image = _read_view(view, self._background)
        with self._lock:
            self._keep(key, image)
        return image

    def _keep(self, key: _Key, image: ViewImage) -> None:
        """Cache `image` and drop old ones; the lock must be held."""
        if key in self._images or image.nbytes > self._budget:
            return
        self._images[key] = image
        self._used += image.nbytes
        while self._used > self._budget:
            _, dropped = self._images.popitem(last=False)
            self._used -= dropped.nbytes


def _read_view(view: View, background: tuple[float, float, float]) -> ViewImage:
    """Read, composite, undistort at full size, then shrink by area average."""
    stored = read_image(view.image_path)
    height, width = stored.rgb.shape[:2]
    lens = view.distortion
    if lens is not None and (lens.width, lens.height) != (width, height):
        raise SceneError(
            f"{view.image_path}: image is {width}x{height}, it was {lens.width}x{lens.height} when "
            "the scene was loaded; load the scene again"
        )
    mapping = None if lens is None else undistort_map(lens)
    valid = None if view.mask_path is None else _fit_mask(read_mask(view.mask_path), width, height)
    size = (view.camera.width, view.camera.height)
    return ViewImage(
        rgb=_resample(_composite(stored.rgb, stored.alpha, background), mapping, size),
        alpha=None if stored.alpha is None else _resample(stored.alpha, mapping, size),
        valid=_resample_valid(valid, mapping, size),
    )


def _composite(
    rgb: npt.NDArray[np.uint8],  # [H, W, 3]
    alpha: npt.NDArray[np.uint8] | None,  # [H, W]
    background: tuple[float, float, float],
) -> npt.NDArray[np.uint8] | npt.NDArray[np.float32]:
    """Return the image over the background, `[H, W, 3]`, 0..255."""
    if alpha is None:
        return rgb
    coverage = alpha[:, :, None].astype(np.float32) / np.float32(255)
    behind = np.array(background, dtype=np.float32) * np.float32(255)
    return np.asarray(rgb * coverage + behind * (1 - coverage), dtype=np.float32)


def _resample(
    image: npt.NDArray[np.uint8] | npt.NDArray[np.float32],  # [H, W] or [H, W, 3]
    mapping: UndistortMap | None,
    size: tuple[int, int],
) -> npt.NDArray[np.uint8]:
    """Return `image` undistorted and shrunk to `size` (width, height), rounded to 8 bit."""
    if mapping is not None:
        image = np.clip(undistort(image.astype(np.float32), mapping), 0, 255)
    image = _shrink(image, size)
    if image.dtype == np.uint8:
        return np.asarray(image, dtype=np.uint8)
    rounded: npt.NDArray[np.uint8] = np.rint(np.clip(image, 0, 255)).astype(np.uint8)
    return rounded


def _shrink(
    image: npt.NDArray[np.uint8] | npt.NDArray[np.float32], size: tuple[int, int]
) -> npt.NDArray[np.uint8] | npt.NDArray[np.float32]:
    if (image.shape[1], image.shape[0]) == size:
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def _resample_valid(
    valid: npt.NDArray[np.bool_] | None,  # [H, W] of the stored image
    mapping: UndistortMap | None,
    size: tuple[int, int],
) -> npt.NDArray[np.bool_] | None:
    """Return which training pixels to learn from, or None where all are."""
    if mapping is not None:
        seen = mapping.valid
        if valid is not None:
            source = undistort(valid.astype(np.float32), mapping)
            seen = seen & (source > _FULLY_VALID)
        valid = seen
    if valid is None or valid.all():
        return None
    return np.asarray(_shrink(valid.astype(np.float32), size) > _FULLY_VALID)


def _fit_mask(mask: npt.NDArray[np.bool_], width: int, height: int) -> npt.NDArray[np.bool_]:
    """Return the mask `[H, W]` at the size of the stored image, nearest pixel."""
    if mask.shape == (height, width):
        return mask
    resized = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(resized != 0)
