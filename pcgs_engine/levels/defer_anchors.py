"""Deferral: a trained model and cameras in, the order out in which anchors may leave level 1.

Those go first that change the training views least for their bits; level 2 brings them, coded once
at its finer step. How many go: `codec/fit_first_level.py`. See docs/experiments.md.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from ..model.masks import gaussian_mask
from ..model.trained_model import TrainedModel
from ..render.rasterizer import Rasterizer
from ..scene.camera import Camera
from .presence import measure_presence
from .removal_prices import ANCHOR_BITS, GAUSSIAN_BITS

__all__ = ["deferral_order"]

MOST_DEFERRED = 0.4
"""Part of level 1's anchors that may leave: beyond, its pictures fall apart."""
ROUNDS = 5
"""Anchors are chosen a part at a time: what covers for those that are gone matters more."""


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
