"""Pruning by presence: which Gaussians of each level the training views would hardly miss.

Open masks let Gaussians learn before any is judged, and leave most of them idle behind others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..levels.presence import draw_removals
from ..levels.removal_prices import removal_prices
from ..model.masks import gaussian_mask
from ..model.trained_model import TrainedModel
from ..render.rasterizer import Rasterizer
from ..scene.image_store import ImageStore
from ..scene.scene import View
from .view_sampler import load_view

__all__ = [
    "MOST_ERROR",
    "MOST_VIEWS",
    "Presence",
    "judge_levels",
    "measure_gaussians",
    "unmissed",
]

MOST_VIEWS = 64
"""Training views asked, evenly spaced over all of them."""
MOST_ERROR = 5e-4
"""33 dB: what pictures lack beyond is mostly what no model can match, passers-by and reflections,
and no excuse to drop Gaussians."""
MOST_GONE = 0.8
"""Part of the Gaussians that may go at once: many that each are hardly missed can be together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """How much each Gaussian of a level matters, and how good its pictures are as a whole."""

    mask: Tensor  # [N, K] bool, Gaussians of the level
    change: Tensor  # [N, K] mean squared change of pictures where a Gaussian vanishes
    error: float
    """Mean squared difference of pictures and photographs."""


def judge_levels(
    model: TrainedModel,
    views: Sequence[View],
    store: ImageStore,
    *,
    parts: Sequence[float],
    rasterizer: Rasterizer,
    background: Tensor,  # [3]
    seed: int,
) -> Tensor:  # [N, K] int64
    """Return how many levels each Gaussian should do without, from the first one on.

    Every level is judged by its own pictures, first level first: what it keeps stays in all later
    ones. One picture for all would not show that Gaussians matter more where others are missing.

    Args:
        model: as it is; not changed.
        views: to ask.
        store: their photographs.
        parts: of the mean squared error, for each level; see `unmissed`.
        rasterizer: who draws.
        background: RGB as in training.
        seed: of the random signs.

    Raises:
        SceneError: an image cannot be read.
    """
    logits = model.anchors.mask_logits
    kept = torch.zeros(logits.shape[:2], dtype=torch.bool, device=logits.device)
    leaving = torch.zeros_like(kept, dtype=torch.int64)
    for level, part in enumerate(parts, start=1):
        presence = measure_gaussians(
            model, views, store, level=level, rasterizer=rasterizer, background=background,
            seed=seed,
        )  # fmt: skip
        kept = presence.mask & ~unmissed(presence, part, kept)
        leaving += ~kept
    return leaving


def measure_gaussians(
    model: TrainedModel,
    views: Sequence[View],
    store: ImageStore,
    *,
    level: int,
    rasterizer: Rasterizer,
    background: Tensor,  # [3]
    seed: int,
) -> Presence:
    """Ask every view of a level once; 0 for Gaussians that none shows.

    Raises:
        SceneError: an image cannot be read.
    """
    mask = gaussian_mask(model.anchors.mask_logits, level)
    generator = torch.Generator().manual_seed(seed)
    change, error = torch.zeros(mask.numel(), device=mask.device), 0.0
    for view in views:
        found = draw_removals(
            model, view.camera, mask, samples=1, rasterizer=rasterizer, background=background,
            generator=generator,
        )  # fmt: skip
        share = 1.0 / (found.image.numel() * len(views))
        change.index_add_(0, found.slots, found.changes[0].square() * share)
        photograph = load_view(store, view, rasterizer.device)
        difference = (found.image - photograph.image).square()
        if photograph.valid is not None:
            difference = difference[photograph.valid]
        error += float(difference.mean()) / len(views)
    return Presence(mask=mask, change=change.view(mask.shape), error=error)


def unmissed(presence: Presence, part: float, kept: Tensor) -> Tensor:  # [N, K] bool
    """Choose those that cost pictures least per bit, by less than `part` of the error together.

    Of an error beyond `MOST_ERROR` only that much counts, and at most `MOST_GONE` of them go.

    Args:
        presence: of one level.
        part: of the error.
        kept: `[N, K]` bool, Gaussians that stay because an earlier level has them.
    """
    candidates = presence.mask & ~kept
    mask = candidates.reshape(-1)
    there = mask.nonzero(as_tuple=True)[0]
    prices = removal_prices(candidates, presence.change, stays=kept.any(dim=1))
    price = prices.reshape(-1)[there]
    order = there[price.sort(stable=True).indices]
    budget = part * min(presence.error, MOST_ERROR)
    count = int((presence.change.reshape(-1)[order].cumsum(0) < budget).sum())
    gone = torch.zeros_like(mask)
    gone[order[: min(count, int(MOST_GONE * len(there)))]] = True
    return gone.view_as(presence.mask)
