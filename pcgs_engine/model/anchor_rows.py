"""Rows of trainable anchors for one iteration: those in view, quantized, and the rate's sample.

In: anchors, ascending rows, quantization steps. Out: differentiable values of these rows. On the
CPU one fused kernel does it all, because gradients of whole anchor tensors are what costs.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..kernels import anchor_rows as kernels
from ..kernels.pool import KernelPool, even_ranges
from .anchors import Anchors
from .masks import MASK_THRESHOLD, gaussian_mask, soft_gaussian_mask

__all__ = ["AnchorRows", "SampleRows", "present_rows", "take_rows"]

ROWS_PER_PIECE = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorRows:
    """What the head and the renderer get of `n` anchors."""

    feature: Tensor  # [n, F]
    scaling: Tensor  # [n, 6] linear, world units
    offsets: Tensor  # [n, K, 3]
    mask: Tensor  # [n, K] 0/1 floats with straight-through gradient


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRows:
    """Plain rows of `m` anchors, for the rate."""

    feature: Tensor  # [m, F]
    log_scaling: Tensor  # [m, 6]
    offsets: Tensor  # [m, K, 3]
    mask_logits: Tensor  # [m, K, S]


def present_rows(
    anchors: Anchors,
    rows: Tensor,  # [n] int64
    level: int,
    pool: KernelPool | None = None,
) -> Tensor:  # [m] int64
    """Return those of `rows` of which any Gaussian exists at `level`; no gradient."""
    logits = anchors.mask_logits.detach()
    if pool is None or logits.device.type != "cpu":
        return rows[gaussian_mask(logits.index_select(0, rows), level).any(dim=1)]
    present = torch.empty(len(rows), dtype=torch.bool)
    shared = (logits.numpy(), rows.numpy(), level, MASK_THRESHOLD, present.numpy())
    pool.run(kernels.mark_present, [(a, b, *shared) for a, b in _ranges(len(rows))])
    return rows[present]


def take_rows(
    anchors: Anchors,
    rows: Tensor,  # [n] int64, ascending and distinct
    sample: Tensor,  # [m] int64, ascending and distinct
    level: int,
    steps: Tensor | None,  # [n, 3] of feature, scaling, offsets
    generator: torch.Generator,
    pool: KernelPool | None = None,
    *,
    rounded: bool = False,
) -> tuple[AnchorRows, SampleRows]:
    """Return `rows` as the renderer wants them, at `level`, and `sample` as it is.

    Args:
        anchors: their four parameters get gradients.
        rows: anchors in view.
        sample: anchors of the rate term; may be empty.
        level: 1-based level of the masks.
        steps: quantization steps; None for values as they are. Its gradient is that of
            value + noise · step.
        generator: where the noise comes from; the kernel draws one seed from it.
        pool: threads of the fused kernel; None for plain torch.
        rounded: round to multiples of the steps, gradients straight through, instead of adding
            uniform noise.
    """
    parameters = (anchors.feature, anchors.log_scaling, anchors.offsets, anchors.mask_logits)
    if pool is None or anchors.feature.device.type != "cpu":
        drawn = _take_plainly(parameters, rows, level, steps, None if rounded else generator)
        return drawn, SampleRows(
            feature=anchors.feature.index_select(0, sample),
            log_scaling=anchors.log_scaling.index_select(0, sample),
            offsets=anchors.offsets.index_select(0, sample),
            mask_logits=anchors.mask_logits.index_select(0, sample),
        )
    seed = torch.randint(2**62, (1,), generator=generator)
    words = seed.numpy().view(np.uint32)
    feature, scaling, offsets, mask, *plain = _TakeRows.apply(  # type: ignore[no-untyped-call]
        *parameters, steps, rows, sample, level, words, rounded, pool
    )
    return (
        AnchorRows(feature=feature, scaling=scaling, offsets=offsets, mask=mask),
        SampleRows(feature=plain[0], log_scaling=plain[1], offsets=plain[2], mask_logits=plain[3]),
    )


def _take_plainly(
    parameters: tuple[Tensor, Tensor, Tensor, Tensor],
    rows: Tensor,
    level: int,
    steps: Tensor | None,
    generator: torch.Generator | None,
) -> AnchorRows:
    """The readable twin of the kernel, and the path for accelerators; no generator: round."""
    feature, log_scaling, offsets, logits = (p.index_select(0, rows) for p in parameters)
    scaling, mask = log_scaling.exp(), soft_gaussian_mask(logits, level)
    if steps is not None:
        widths = steps.split_with_sizes([1, 1, 1], 1)
        feature = _quantized(feature, widths[0], generator)
        scaling = _quantized(scaling, widths[1], generator)
        offsets = _quantized(offsets.flatten(1), widths[2], generator).view_as(offsets)
    return AnchorRows(feature=feature, scaling=scaling, offsets=offsets, mask=mask)


def _quantized(values: Tensor, step: Tensor, generator: torch.Generator | None) -> Tensor:
    """Add noise of width `step`, or round without a generator."""
    if generator is None:
        scaled = (values / step).detach()
        return values + (scaled.round() - scaled) * step
    return (
        values + (torch.rand(values.shape, generator=generator, device=values.device) - 0.5) * step
    )


class _TakeRows(torch.autograd.Function):
    """Both sets of rows by the numba kernels; the gradients are written in one pass."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401  (torch gives it no public type)
        feature: Tensor,
        log_scaling: Tensor,
        offsets: Tensor,
        logits: Tensor,
        steps: Tensor | None,
        rows: Tensor,
        sample: Tensor,
        level: int,
        seed: npt.NDArray[np.uint32],
        rounded: bool,
        pool: KernelPool,
    ) -> tuple[Tensor, ...]:
        count, size = len(rows), offsets.shape[1]
        widths = torch.empty(0, 3) if steps is None else steps.contiguous()
        outputs = (
            torch.empty(count, feature.shape[1]),
            torch.empty(count, 6),
            torch.empty(count, size, 3),
            torch.empty(count, size),
        )
        slopes = np.empty((count, size), np.float32)
        width = feature.shape[1] + 6 + 3 * size
        kept = rounded and steps is not None
        errors = np.empty((count, width) if kept else (0, 0), np.float32)
        arrays = (
            *(_array(p) for p in (feature, log_scaling, offsets.flatten(1), logits)),
            *(rows.numpy(), level, MASK_THRESHOLD, _array(widths), seed, errors),
            *(o.flatten(1).numpy() for o in outputs),
            slopes,
        )
        pool.run(kernels.take_rows, [(a, b, *arrays) for a, b in _ranges(count)])
        ctx.save_for_backward(log_scaling, logits, rows, sample)
        ctx.level, ctx.seed, ctx.pool = level, seed, pool
        ctx.slopes, ctx.errors, ctx.noisy = slopes, errors, steps is not None
        plain = (p.index_select(0, sample) for p in (feature, log_scaling, offsets, logits))
        return *outputs, *plain

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any,  # noqa: ANN401
        *grads: Tensor,
    ) -> tuple[Tensor | None, ...]:
        log_scaling, logits, rows, sample = ctx.saved_tensors
        arrays = [_array(g) for g in grads]
        for index in (2, 6):  # offsets as one row of 3 K numbers
            arrays[index] = arrays[index].reshape(len(arrays[index]), 3 * logits.shape[1])
        v_steps = torch.empty(len(rows) if ctx.noisy else 0, 3)
        size, features = len(log_scaling), grads[0].shape[1]
        out = (
            torch.empty(size, features),
            torch.empty_like(log_scaling),
            torch.empty(size, logits.shape[1], 3),
            torch.empty_like(logits),
        )
        outputs = (out[0].numpy(), out[1].numpy(), out[2].flatten(1).numpy(), out[3].numpy())
        shared = (_array(log_scaling), _array(logits), ctx.level, ctx.seed)
        drawn = (rows.numpy(), tuple(arrays[:4]), ctx.slopes, ctx.errors)
        given = (*drawn, sample.numpy(), tuple(arrays[4:]))
        ctx.pool.run(
            kernels.spread_gradients,
            [(a, b, *shared, *given, v_steps.numpy(), outputs) for a, b in _ranges(size)],
        )
        return *out, v_steps if ctx.noisy else None, *(None,) * 6


def _array(tensor: Tensor) -> npt.NDArray[np.float32]:
    array: npt.NDArray[np.float32] = tensor.detach().contiguous().numpy()
    return array


def _ranges(size: int) -> list[tuple[int, int]]:
    return even_ranges(size, -(-size // ROWS_PER_PIECE))
