"""Head outputs to Gaussians by the numba kernels, as one differentiable step on the CPU.

In: what `derive_gaussians` has after the head. Out: the same Gaussians as its plain torch lines.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..kernels import derive as kernels
from ..kernels.pool import KernelPool, even_ranges
from .attribute_head import HeadOutput
from .gaussians import Gaussians

__all__ = ["fused_gaussians"]

ROWS_PER_PIECE = 1024


def fused_gaussians(
    output: HeadOutput,
    positions: Tensor,  # [n, 3], gets no gradient
    scaling: Tensor,  # [n, 6]
    offsets: Tensor,  # [n, K, 3]
    mask: Tensor,  # [n, K] float 0/1
    camera_centre: Tensor,  # [3]
    pool: KernelPool,
) -> tuple[Gaussians, Tensor]:
    """Return the Gaussians that exist and their slots `[M]` int64."""
    means, quats, scales, opacities, colors, slots = _Derive.apply(  # type: ignore[no-untyped-call]
        scaling,
        offsets,
        mask,
        output.opacity,
        output.covariance,
        output.color,
        positions,
        camera_centre,
        pool,
    )
    gaussians = Gaussians(
        means=means, quats=quats, scales=scales, opacities=opacities, colors=colors
    )
    return gaussians, slots


class _Derive(torch.autograd.Function):
    """Kernels of `kernels/derive.py`, one pass over the rows in each direction."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401  (torch gives it no public type)
        *inputs: Any,  # noqa: ANN401  (six differentiable tensors, positions, centre, pool)
    ) -> tuple[Tensor, ...]:
        *tensors, positions, centre, pool = inputs
        scaling, offsets, mask, opacity, covariance, color = (_array(t) for t in tensors)
        harmonic = color.ndim == 4
        color = color if harmonic else color[:, :, None]
        count = len(scaling)
        starts = np.zeros(count + 1, np.int64)
        ranges = even_ranges(count, -(-count // ROWS_PER_PIECE))
        pool.run(kernels.count_gaussians, [(a, b, opacity, mask, starts) for a, b in ranges])
        np.cumsum(starts, out=starts)
        total = int(starts[-1])
        shapes = ((total, 3), (total, 4), (total, 3), (total,), (total, 3))
        outputs = [torch.empty(shape) for shape in shapes]
        slots = torch.empty(total, dtype=torch.int64)
        given = (starts, _array(positions), _array(centre))
        arrays = (scaling, offsets, mask, opacity, covariance, color, harmonic)
        written = (*(o.numpy() for o in outputs), slots.numpy())
        pool.run(kernels.derive_rows, [(a, b, *given, *arrays, *written) for a, b in ranges])
        ctx.arrays, ctx.starts, ctx.ranges, ctx.pool = arrays, starts, ranges, pool
        ctx.directions = written[0] - given[2]
        ctx.color_shape = tensors[5].shape
        ctx.mark_non_differentiable(slots)
        return *outputs, slots

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any,  # noqa: ANN401
        *grads: Tensor,
    ) -> tuple[Tensor | None, ...]:
        gradients = [torch.empty(array.shape) for array in ctx.arrays[:6]]
        shared = (ctx.starts, ctx.directions, *ctx.arrays, *(_array(g) for g in grads[:5]))
        written = [g.numpy() for g in gradients]
        ctx.pool.run(
            kernels.derive_rows_backward, [(a, b, *shared, *written) for a, b in ctx.ranges]
        )
        gradients[5] = gradients[5].view(ctx.color_shape)
        return *gradients, None, None, None


def _array(tensor: Tensor) -> npt.NDArray[np.float32]:
    array: npt.NDArray[np.float32] = tensor.detach().contiguous().numpy()
    return array
