"""Image loss of training: rendered image and photograph to one differentiable number.

In: image and target [H, W, 3] in 0..1, optionally which pixels count.
Out: (1 - w) L1 + w (1 - SSIM), as in 3DGS (facts §1.4).
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..kernels import ssim as kernels
from ..kernels.pool import KernelPool, even_ranges

__all__ = ["ImageLoss", "ssim_map"]

ROWS_PER_PIECE = 32
C1 = 0.01**2
C2 = 0.03**2


class ImageLoss:
    """Weighted sum of mean absolute difference and 1 - mean SSIM.

    The numba kernels run where images are on the CPU and a pool is given; otherwise plain torch
    does the same (the readable reference, and the path for accelerators).
    """

    def __init__(self, ssim_weight: float, pool: KernelPool | None = None) -> None:
        """Keep the share `ssim_weight` of 1 - SSIM, 0..1, and the threads to use."""
        self._weight = ssim_weight
        self._pool = pool

    def __call__(
        self,
        image: Tensor,  # [H, W, 3] float32
        target: Tensor,  # [H, W, 3] float32
        valid: Tensor | None = None,  # [H, W] bool
    ) -> Tensor:  # [] float32
        """Return the loss; its gradient goes to `image` only.

        Pixels that are not valid take the target's value, so they add nothing to the loss by
        themselves and get no gradient; means are over all pixels.

        Raises:
            ValueError: shapes or types do not fit.
        """
        _check(image, target, valid)
        if self._pool is not None and image.device.type == "cpu":
            return _fused_loss(image, target, valid, self._weight, self._pool)
        if valid is not None:
            image = torch.where(valid[..., None], image, target)
        difference = (image - target).abs().mean()
        similarity = ssim_map(image, target).mean()
        return (1 - self._weight) * difference + self._weight * (1 - similarity)


def ssim_map(image: Tensor, target: Tensor) -> Tensor:  # [H, W, C] each -> [H, W, C]
    """Return SSIM of every pixel and channel: 11 x 11 Gaussian window, zeros outside.

    Source: Wang et al. 2004; constants and padding as in 3DGS.
    """
    x, y = image.movedim(-1, 0), target.movedim(-1, 0)
    mean_x, mean_y, square_x, square_y, product = _blur(torch.stack([x, y, x * x, y * y, x * y]))
    variance_x, variance_y = square_x - mean_x**2, square_y - mean_y**2
    covariance = product - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    structure = (2 * covariance + C2) / (variance_x + variance_y + C2)
    result: Tensor = (luminance * structure).movedim(0, -1)
    return result


def _blur(planes: Tensor) -> Tensor:  # [5, C, H, W]
    half = torch.from_numpy(kernels.window_weights()).to(planes)
    window = torch.cat([half.flip(0)[:-1], half])
    # one group a plane: such convolutions are not rounded to TF32, which would spoil variances
    count = planes.shape[0] * planes.shape[1]
    across = window.expand(count, 1, 1, -1)
    flat = planes.reshape(1, count, *planes.shape[2:])
    rows = torch.nn.functional.conv2d(flat, across, padding=(0, kernels.RADIUS), groups=count)
    down = across.transpose(2, 3)
    both = torch.nn.functional.conv2d(rows, down, padding=(kernels.RADIUS, 0), groups=count)
    return both.view_as(planes)


def _check(image: Tensor, target: Tensor, valid: Tensor | None) -> None:
    shape = image.shape
    if image.ndim != 3 or shape[2] != 3 or target.shape != shape or image.numel() == 0:
        found = f"{list(shape)} and {list(target.shape)}"
        raise ValueError(f"image and target are {found}, wanted two of the same [H, W, 3]")
    if valid is not None and (valid.shape != shape[:2] or valid.dtype != torch.bool):
        found = f"{list(valid.shape)} {valid.dtype}"
        raise ValueError(f"valid is {found}, wanted {list(shape[:2])} torch.bool")


class _SavedContext(Protocol):
    saved_tensors: tuple[Tensor, ...]
    needs_input_grad: tuple[bool, ...]

    def save_for_backward(self, *tensors: Tensor) -> None: ...


class _FusedLoss(torch.autograd.Function):
    """The numba kernels; the gradient is computed with the value and kept."""

    @staticmethod
    def forward(
        ctx: _SavedContext,
        image: Tensor,
        target: Tensor,
        valid: Tensor | None,
        weight: float,
        pool: KernelPool,
    ) -> Tensor:
        height, width, _ = image.shape
        x = image.detach().float().contiguous().numpy().reshape(height, 3 * width)
        y = target.detach().float().contiguous().numpy().reshape(height, 3 * width)
        counted = np.empty((0, 0), np.bool_) if valid is None else valid.contiguous().numpy()
        value, gradient = _run_kernels(x, y, counted, weight, ctx.needs_input_grad[0], pool)
        if gradient is not None:
            ctx.save_for_backward(torch.from_numpy(gradient).view(image.shape))
        return torch.tensor(value, dtype=torch.float32)

    @staticmethod
    def backward(ctx: _SavedContext, grad: Tensor) -> tuple[Tensor, None, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * grad, None, None, None, None


def _fused_loss(
    image: Tensor, target: Tensor, valid: Tensor | None, weight: float, pool: KernelPool
) -> Tensor:
    result: Tensor = _FusedLoss.apply(  # type: ignore[no-untyped-call]
        image, target, valid, weight, pool
    )
    return result


def _run_kernels(
    x: npt.NDArray[np.float32],  # [H, 3 W]
    y: npt.NDArray[np.float32],  # [H, 3 W]
    valid: npt.NDArray[np.bool_],  # [H, W] or [0, 0]
    weight: float,
    with_gradient: bool,
    pool: KernelPool,
) -> tuple[float, npt.NDArray[np.float32] | None]:
    height, row_size = x.shape
    bands = even_ranges(height, -(-height // ROWS_PER_PIECE))
    window = kernels.window_weights()
    moments = _work_array(4, height, row_size)
    slopes = _work_array(3, height, row_size) if with_gradient else np.empty((3, 0, 0), np.float32)
    differences, similarity = np.empty(height), np.empty(height)
    pool.run(
        kernels.blur_moments,
        [(x, y, valid, window, a, b, moments, differences) for a, b in bands],
    )
    pool.run(kernels.compare_rows, [(moments, window, a, b, slopes, similarity) for a, b in bands])
    l1, ssim = differences.sum() / x.size, similarity.sum() / x.size
    value = (1 - weight) * float(l1) + weight * (1 - float(ssim))
    if not with_gradient:
        return value, None
    gradient = np.empty_like(x)
    scales = ((1 - weight) / x.size, -weight / x.size)
    pool.run(
        kernels.finish_gradient,
        [(x, y, valid, slopes, window, *scales, a, b, gradient) for a, b in bands],
    )
    return value, gradient


def _work_array(planes: int, height: int, row_size: int) -> npt.NDArray[np.float32]:
    """Return an array whose `RADIUS` first and last rows are zero and the others undefined."""
    work = np.empty((planes, height + 2 * kernels.RADIUS, row_size), np.float32)
    work[:, : kernels.RADIUS] = 0
    work[:, -kernels.RADIUS :] = 0
    return work
