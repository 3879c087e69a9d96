"""Anchors in view by plain torch, for the backends that ask about Gaussians one by one."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..scene.camera import Camera

__all__ = ["anchors_in_view"]


@torch.no_grad()
def anchors_in_view(
    visible: Callable[[Tensor, Tensor, Camera], Tensor],
    camera: Camera,
    positions: Tensor,  # [N, 3]
    scaling: Tensor,  # [N, 6]
    offsets: Tensor,  # [N, K, 3]
    mask: Tensor,  # [N, K] bool
) -> Tensor:  # [n] int64, ascending
    """Return what `Rasterizer.anchors_in_view` does.

    Args:
        visible: means and scales `[M, 3]` and a camera in, which of these unrotated Gaussians can
            touch the image at full opacity out.
        camera: who looks.
        positions: of anchors, world units.
        scaling: linear, world units.
        offsets: of their Gaussians.
        mask: Gaussians that exist.
    """
    anchor, gaussian = mask.nonzero(as_tuple=True)
    own = scaling.index_select(0, anchor)
    means = positions.index_select(0, anchor) + offsets[anchor, gaussian] * own[:, :3]
    widest = own[:, 3:].amax(dim=1, keepdim=True).expand(-1, 3)
    needed = torch.zeros(len(mask), dtype=torch.bool, device=mask.device)
    needed[anchor[visible(means, widest, camera)]] = True
    return needed.nonzero(as_tuple=True)[0]
