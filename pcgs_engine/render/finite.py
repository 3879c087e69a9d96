"""Gaussians with numbers that are not finite, made harmless before they meet a formula."""

import torch
from torch import Tensor

from ..model.gaussians import Gaussians

__all__ = ["replace_nonfinite"]


def replace_nonfinite(gaussians: Gaussians) -> Gaussians:
    """Return the Gaussians with every one that holds NaN or infinity made fully transparent.

    Such a Gaussian becomes a unit one at the origin with opacity 0; it gets zero gradients.
    """
    fields = (
        gaussians.means,
        gaussians.quats,
        gaussians.scales,
        gaussians.opacities,
        gaussians.colors,
    )
    finite = torch.stack([t.detach().reshape(len(t), -1).isfinite().all(-1) for t in fields]).all(0)
    column = finite[:, None]
    unit = gaussians.quats.new_tensor([1.0, 0.0, 0.0, 0.0])

    def keep(tensor: Tensor, value: float) -> Tensor:
        return torch.where(column, tensor, torch.full_like(tensor, value))

    return Gaussians(
        means=keep(gaussians.means, 0.0),
        quats=torch.where(column, gaussians.quats, unit),
        scales=keep(gaussians.scales, 1.0),
        opacities=torch.where(finite, gaussians.opacities, torch.zeros_like(gaussians.opacities)),
        colors=keep(gaussians.colors, 0.0),
    )
