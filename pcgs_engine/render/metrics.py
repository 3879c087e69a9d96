"""Image quality as the field measures it: PSNR and SSIM of two images with values 0..1."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import conv2d

__all__ = ["psnr", "ssim"]

Image = Tensor | npt.NDArray[np.floating[Any]]

WINDOW = 11
"""Side of SSIM's Gaussian window in pixels (Wang et al. 2004)."""
SIGMA = 1.5
"""Its standard deviation in pixels (Wang et al. 2004)."""
C1 = 0.01**2
"""Stabilizer of the means (Wang et al. 2004), for a value range of 1."""
C2 = 0.03**2
"""Stabilizer of the variances."""


def psnr(
    image: Image,  # [H, W, 3]
    target: Image,  # [H, W, 3]
    valid: Tensor | npt.NDArray[np.bool_] | None = None,  # [H, W]
) -> float:
    """Peak signal-to-noise ratio in dB for a peak of 1, over the valid pixels.

    Returns:
        Decibels; infinity for equal images, NaN when no pixel is valid.
    """
    error = (_double(image) - _double(target)) ** 2
    if valid is not None:
        error = error[_mask(valid)]
    mean = float(error.mean())
    return -10.0 * math.log10(mean) if mean != 0.0 else math.inf


def ssim(
    image: Image,  # [H, W, 3]
    target: Image,  # [H, W, 3]
    valid: Tensor | npt.NDArray[np.bool_] | None = None,  # [H, W]
) -> float:
    """Mean structural similarity over channels and valid pixels.

    11 x 11 Gaussian window of sigma 1.5 with zeros outside the image, as in 3DGS.

    Returns:
        -1..1; 1 for equal images, NaN when no pixel is valid.
    """
    x, y = (_double(picture).movedim(-1, 0)[:, None] for picture in (image, target))
    mean_x, mean_y = _blur(x), _blur(y)
    var_x = _blur(x * x) - mean_x**2
    var_y = _blur(y * y) - mean_y**2
    cov = _blur(x * y) - mean_x * mean_y
    scores = (2 * mean_x * mean_y + C1) * (2 * cov + C2)
    scores = scores / ((mean_x**2 + mean_y**2 + C1) * (var_x + var_y + C2))
    scores = scores[:, 0].movedim(0, -1)
    return float(scores.mean() if valid is None else scores[_mask(valid)].mean())


def _double(picture: Image) -> Tensor:
    # Arrays are copied: they may be read-only memory maps, which torch does not take.
    tensor = picture.detach() if isinstance(picture, Tensor) else torch.tensor(picture)
    return tensor.to("cpu", torch.float64)


def _mask(valid: Tensor | npt.NDArray[np.bool_]) -> Tensor:
    tensor = valid.detach() if isinstance(valid, Tensor) else torch.tensor(valid)
    return tensor.to("cpu", torch.bool)


def _blur(planes: Tensor) -> Tensor:
    """Filter `[C, 1, H, W]` with the Gaussian window, one axis after the other."""
    offsets = torch.arange(WINDOW, dtype=planes.dtype) - WINDOW // 2
    taps = torch.exp(-(offsets**2) / (2 * SIGMA**2))
    taps = taps / taps.sum()
    across = conv2d(planes, taps.view(1, 1, 1, -1), padding=(0, WINDOW // 2))
    return conv2d(across, taps.view(1, 1, -1, 1), padding=(WINDOW // 2, 0))
