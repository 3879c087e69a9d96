"""Deferral: a trained model and cameras in, the order out in which anchors may leave level 1.

Those go first that change the training views least for their bits; level 2 brings them, coded once
at its finer step. How many go: `codec/fit_first_level.py`. See docs/experiments.md.
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

__all__ = ["deferral_order", "measure_presence"]

MOST_DEFERRED = 0.4
"""Part of level 1's anchors that may leave: beyond, its pictures fall apart."""
ROUNDS = 5
"""Anchors are chosen a part at a time: what covers for those that are gone matters more."""
SIGN_IMAGES = 3
"""Random sign images per camera and round: one alone is noisy enough to cost level 1 0.1 dB."""
ANCHOR_BITS, GAUSSIAN_BITS = 70.0, 13.0
"""What an anchor and each of its Gaussians take of level 1: measured on fox, preview preset."""


def deferral_order(
    model: TrainedModel,
    cameras: Sequence[Camera],
    *,
    rasterizer: Rasterizer,
    background: Sequence[float],
    seed: int = 0,
) -> npt.NDArray[np.int64]:  # [n] rows of the model's anchors
    """Put the `MOST_DEFERRED` of level 1's anchors of least presence per bit in order, least first.

    Args:
        model: trained; not changed.
        cameras: of the training views, at least one; 64 are enough.
        rasterizer: who draws.
        background: RGB as in training.
        seed: of the random signs; same seed, same result.
    """
    mask = gaussian_mask(model.anchors.mask_logits, 1)
    gaussians = mask.sum(dim=1).cpu().numpy()
    most = int(MOST_DEFERRED * np.count_nonzero(gaussians))
    stays = gaussians > 0
    order: list[npt.NDArray[np.int64]] = []
    generator = torch.Generator().manual_seed(seed)
    for part in range(ROUNDS):
        count = most * (part + 1) // ROUNDS - most * part // ROUNDS
        left = mask & torch.from_numpy(stays)[:, None].to(mask.device)
        presence = measure_presence(
            model, cameras, left, rasterizer=rasterizer, background=background, generator=generator
        )
        there = np.flatnonzero(stays)
        worth = presence[there] / (ANCHOR_BITS + GAUSSIAN_BITS * gaussians[there])
        order.append(there[np.argsort(worth, kind="stable")[:count]])
        stays[order[-1]] = False
    return np.concatenate(order)


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

    To first order in the opacities of its Gaussians, from `SIGN_IMAGES` random sign images per
    camera (Hutchinson's estimator, as in `sensitivity`); 0 for anchors that are absent or unseen.
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
        owner = torch.div(derived.slots, mask.shape[1], rounding_mode="floor")
        for _ in range(SIGN_IMAGES):
            signs = torch.randint(0, 2, image.shape, generator=generator) * 2.0 - 1.0
            (gradient,) = torch.autograd.grad(image, opacities, signs.to(image), retain_graph=True)
            change = torch.zeros(len(rows), device=device)
            change.index_add_(0, owner, gradient * opacities.detach())
            total[rows] += change.square() / image.numel()
    draws = max(len(cameras), 1) * SIGN_IMAGES
    presence: npt.NDArray[np.float32] = (total / draws).cpu().numpy()
    return presence
