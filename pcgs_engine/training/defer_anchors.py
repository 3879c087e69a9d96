"""Deferral: the anchors that matter least to the pictures wait for level 2.

Learned masks alone keep the levels nearly equal in anchors, so that level 1 pays for all of them.
Here level 1 gives up the anchors that change the training views least for their bits, once, late
in the run, and learns to do without; level 2 brings them. See docs/experiments.md.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ..model.anchors import Anchors
from ..model.attribute_head import AttributeHead
from ..model.derive import derive_gaussians
from ..model.masks import gaussian_mask
from ..render.rasterizer import Rasterizer
from ..scene.camera import Camera

__all__ = ["deferred_logits", "measure_presence"]

ABSENT_LOGIT = -20.0
"""Level-1 logit of a deferred Gaussian: so far below the threshold that it stays there."""
ANCHOR_BITS, GAUSSIAN_BITS = 70.0, 13.0
"""What an anchor and each of its Gaussians take of level 1: measured on fox, preview preset."""


def measure_presence(
    anchors: Anchors,
    head: AttributeHead,
    cameras: Sequence[Camera],
    *,
    rasterizer: Rasterizer,
    background: Tensor,  # [3]
    generator: torch.Generator,
) -> Tensor:  # [N]
    """Estimate how much pictures of level 1 change, in squared error, where an anchor vanishes.

    To first order in the opacities of its Gaussians, from one random sign image per camera
    (Hutchinson's estimator, as in `levels/sensitivity.py`); 0 for anchors that are absent at
    level 1 or unseen.
    """
    mask = gaussian_mask(anchors.mask_logits, 1)
    scaling = anchors.scaling.detach()
    total = torch.zeros(len(anchors), device=mask.device)
    for camera in cameras:
        seen = rasterizer.visible(anchors.positions, scaling[:, :3], camera) & mask.any(dim=1)
        rows = seen.nonzero(as_tuple=True)[0]
        if len(rows) == 0:
            continue
        derived = derive_gaussians(
            head, anchors.positions[rows], anchors.feature.detach()[rows], scaling[rows],
            anchors.offsets.detach()[rows], mask[rows],
            torch.as_tensor(camera.centre, dtype=torch.float32, device=mask.device),
            pool=getattr(rasterizer, "pool", None),
        )  # fmt: skip
        opacities = derived.gaussians.opacities
        image = rasterizer.render(derived.gaussians, camera, background=background).image
        signs = torch.randint(
            0, 2, image.shape, generator=generator, device=generator.device
        ) * 2.0 - 1.0  # fmt: skip
        (gradient,) = torch.autograd.grad(image, opacities, signs.to(image))
        change = torch.zeros(len(rows), device=mask.device).index_add_(
            0,
            torch.div(derived.slots, mask.shape[1], rounding_mode="floor"),
            gradient * opacities.detach(),
        )
        total[rows] += change.square() / image.numel()
    return total / max(len(cameras), 1)


def deferred_logits(
    logits: Tensor,  # [N, K, S], S >= 2
    presence: Tensor,  # [N]
    share: float,
) -> Tensor:  # [N, K, S]
    """Return mask logits of which `share` of the anchors of level 1 lack that level.

    They are those of least presence for the bits they take. Masks of level 2 and later are the
    same as before.
    """
    gaussians = gaussian_mask(logits, 1).sum(dim=1)
    there = gaussians.nonzero(as_tuple=True)[0]
    worth = presence[there] / (ANCHOR_BITS + GAUSSIAN_BITS * gaussians[there])
    rows = there[torch.argsort(worth, stable=True)[: int(share * len(there))]]
    found = logits.detach().clone()
    first, second = found[rows, :, 0], found[rows, :, 1]
    wanted = (first - ABSENT_LOGIT + softplus(second)).clamp_min(1e-3)
    found[rows, :, 0] = ABSENT_LOGIT
    found[rows, :, 1] = wanted + torch.log(-torch.expm1(-wanted))  # softplus backwards
    return found
