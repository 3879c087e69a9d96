"""Anchors and a camera centre in, Gaussians out (facts §1.2)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..config import Head
from ..kernels.pool import KernelPool
from .attribute_head import AttributeHead
from .fused_derive import fused_gaussians
from .gaussians import Gaussians
from .spherical_harmonics import sh_colors

__all__ = ["Derived", "derive_gaussians"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """The Gaussians that exist for one view and where they came from."""

    gaussians: Gaussians
    slots: Tensor  # [M] int64, flat index anchor * K + k of every Gaussian
    opacity: Tensor  # [n, K] tanh output of the head, also of Gaussians that do not exist


def derive_gaussians(
    head: AttributeHead,
    positions: Tensor,  # [n, 3] world units
    features: Tensor,  # [n, F]
    scaling: Tensor,  # [n, 6] linear, world units
    offsets: Tensor,  # [n, K, 3]
    gaussian_mask: Tensor,  # [n, K] bool, or float 0/1 with straight-through gradient
    camera_centre: Tensor,  # [3] world units
    *,
    pool: KernelPool | None = None,
) -> Derived:
    """Evaluate the head and place the Gaussians that are present and have positive opacity.

    A float mask multiplies opacity and scale, so that masks learn from both (facts §1.2). With a
    pool and tensors on the CPU, fused kernels do the same; `positions` then get no gradient.
    """
    count = offsets.shape[1]
    output = head(features, positions - camera_centre)
    if pool is not None and positions.device.type == "cpu":
        mask = gaussian_mask.to(torch.float32)
        fused, slots = fused_gaussians(
            output, positions, scaling, offsets, mask, camera_centre, pool
        )
        return Derived(gaussians=fused, slots=slots, opacity=output.opacity)
    exists = (output.opacity > 0) & (gaussian_mask > 0)
    slots = exists.reshape(-1).nonzero(as_tuple=True)[0]
    rows = torch.div(slots, count, rounding_mode="floor")

    scaling = scaling.clamp_min(1e-9)
    covariance = _take(output.covariance, slots)
    parent = scaling.index_select(0, rows)
    means = positions.index_select(0, rows) + _take(offsets, slots) * parent[:, :3]
    scales = parent[:, 3:] * torch.sigmoid(covariance[:, :3])
    opacities = output.opacity.reshape(-1).index_select(0, slots)
    if gaussian_mask.is_floating_point():
        mask = gaussian_mask.reshape(-1).index_select(0, slots)
        opacities = opacities * mask
        scales = scales * mask[:, None]
    identity = covariance.new_tensor([1.0, 0.0, 0.0, 0.0])
    colors = _take(output.color, slots)
    if head.config.head is Head.EXPLICIT:
        colors = sh_colors(colors, means.detach() - camera_centre)
    gaussians = Gaussians(
        means=means,
        quats=covariance[:, 3:] + identity,
        scales=scales,
        opacities=opacities,
        colors=colors,
    )
    return Derived(gaussians=gaussians, slots=slots, opacity=output.opacity)


def _take(values: Tensor, slots: Tensor) -> Tensor:
    """Rows `slots` of `[n, K, ...]` flattened to `[n K, ...]`."""
    return values.flatten(0, 1).index_select(0, slots)
