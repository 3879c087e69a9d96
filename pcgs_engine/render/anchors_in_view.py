"""Which anchors a camera needs: those of which any Gaussian can touch the image.

Scaffold-GS asks about a box of the anchor's own scaling instead (facts §1.2). Gaussians that reach
farther are then in no training picture while every viewer draws them: one such, a metre from the
camera, took 5 dB from five training views (docs/experiments.md).
"""

import torch
from torch import Tensor

from ..scene.camera import Camera
from .rasterizer import Rasterizer

__all__ = ["anchors_in_view"]


@torch.no_grad()
def anchors_in_view(
    rasterizer: Rasterizer,
    camera: Camera,
    positions: Tensor,  # [N, 3] world units
    scaling: Tensor,  # [N, 6] linear, world units
    offsets: Tensor,  # [N, K, 3]
    mask: Tensor,  # [N, K] bool, Gaussians that exist
) -> Tensor:  # [n] int64, ascending
    """Return all anchors that are needed, rarely one more; tensors on the rasterizer's device."""
    anchor, gaussian = mask.nonzero(as_tuple=True)
    own = scaling.index_select(0, anchor)
    means = positions.index_select(0, anchor) + offsets[anchor, gaussian] * own[:, :3]
    # whatever its shape and rotation, a Gaussian is inside the ball of its largest scale
    widest = own[:, 3:].amax(dim=1, keepdim=True).expand(-1, 3)
    seen = rasterizer.visible(means, widest, camera)
    needed = torch.zeros(len(mask), dtype=torch.bool, device=mask.device)
    needed[anchor[seen]] = True
    return needed.nonzero(as_tuple=True)[0]
