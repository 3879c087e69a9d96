"""Deferral: a trained model and cameras in, the anchors of level 1 that wait for level 2 out.

Learned masks leave the levels nearly equal in anchors, so that level 1 pays for all of them. It
does without those that change the training views least for their bits; level 2 brings them,
coded once at its finer step. See docs/experiments.md.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..model.derive import derive_gaussians
from ..model.masks import gaussian_mask
from ..model.trained_model import TrainedModel
from ..render.rasterizer import Rasterizer
from ..scene.camera import Camera

__all__ = ["choose_deferred", "measure_presence"]

BoolArray = npt.NDArray[np.bool_]

ROUNDS = 4
"""Anchors are chosen a part at a time: what covers for those that are gone matters more."""
ANCHOR_BITS, GAUSSIAN_BITS = 70.0, 13.0
"""What an anchor and each of its Gaussians take of level 1: measured on fox, preview preset."""


def choose_deferred(
    model: TrainedModel,
    cameras: Sequence[Camera],
    *,
    share: float,
    rasterizer: Rasterizer,
    background: Sequence[float],
    seed: int = 0,
) -> BoolArray:  # [N]
    """Choose `share` of the anchors of level 1: those of least presence per bit.

    Args:
        model: trained; not changed.
        cameras: of the training views, at least one; 64 are enough.
        share: 0..1, rounded down to whole anchors; at least one anchor stays.
        rasterizer: who draws.
        background: RGB as in training.
        seed: of the random signs; same seed, same result.
    """
    mask = gaussian_mask(model.anchors.mask_logits, 1)
    gaussians = mask.sum(dim=1).cpu().numpy()
    total = int(np.count_nonzero(gaussians))
    wanted = min(int(share * total), max(total - 1, 0))
    waits = np.zeros(len(gaussians), dtype=np.bool_)
    generator = torch.Generator().manual_seed(seed)
    for part in range(1, ROUNDS + 1):
        count = wanted * part // ROUNDS - int(np.count_nonzero(waits))
        if count == 0:
            continue
        left = mask & ~torch.from_numpy(waits)[:, None].to(mask.device)
        presence = measure_presence(
            model, cameras, left, rasterizer=rasterizer, background=background, generator=generator
        )
        there = np.flatnonzero((gaussians > 0) & ~waits)
        worth = presence[there] / (ANCHOR_BITS + GAUSSIAN_BITS * gaussians[there])
        waits[there[np.argsort(worth, kind="stable")[:count]]] = True
    return waits


def measure_presence(
    model: TrainedModel,
    cameras: Sequence[Camera],
    mask: Tensor,  # [N, K] bool
    *,
    rasterizer: Rasterizer,
    background: Sequence[float],
    generator: torch.Generator,
) -> npt.NDArray[np.float32]:  # [N]
    """Estimate how much the mean squared image error changes where an anchor vanishes.

    To first order in the opacities of its Gaussians, from one random sign image per camera
    (Hutchinson's estimator, as in `sensitivity`); 0 for anchors that are absent or unseen.
    """
    anchors, device = model.anchors, rasterizer.device
    head, mask = model.head.to(device), mask.to(device)
    positions, offsets = anchors.positions.to(device), anchors.offsets.detach().to(device)
    feature, scaling = (v.detach().to(device) for v in (anchors.feature, anchors.scaling))
    colour = torch.tensor(background, dtype=torch.float32, device=device)
    total = torch.zeros(len(mask), device=device)
    for camera in cameras:
        seen = rasterizer.visible(positions, scaling[:, :3], camera) & mask.any(dim=1)
        rows = seen.nonzero(as_tuple=True)[0]
        if len(rows) == 0:
            continue
        centre = torch.as_tensor(camera.centre, dtype=torch.float32, device=device)
        derived = derive_gaussians(
            head, positions[rows], feature[rows], scaling[rows], offsets[rows], mask[rows], centre,
            pool=getattr(rasterizer, "pool", None),
        )  # fmt: skip
        opacities = derived.gaussians.opacities
        image = rasterizer.render(derived.gaussians, camera, background=colour).image
        signs = torch.randint(0, 2, image.shape, generator=generator) * 2.0 - 1.0
        (gradient,) = torch.autograd.grad(image, opacities, signs.to(image))
        owner = torch.div(derived.slots, mask.shape[1], rounding_mode="floor")
        change = torch.zeros(len(rows), device=device)
        change.index_add_(0, owner, gradient * opacities.detach())
        total[rows] += change.square() / image.numel()
    presence: npt.NDArray[np.float32] = (total / max(len(cameras), 1)).cpu().numpy()
    return presence
