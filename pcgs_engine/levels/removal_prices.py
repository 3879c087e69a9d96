"""Prices: what pictures lose for each bit that leaving Gaussians save; changes in, prices out.

An anchor's position, features and scaling are written once for all of its Gaussians and cost as
much as several of them, so that a few weak Gaussians pay for nearly nothing unless the anchor
goes with them.
"""

import torch
from torch import Tensor

__all__ = ["ANCHOR_BITS", "GAUSSIAN_BITS", "removal_prices"]

ANCHOR_BITS, GAUSSIAN_BITS = 70.0, 13.0
"""What an anchor and each of its Gaussians take of level 1: measured on fox, preview preset."""


def removal_prices(mask: Tensor, change: Tensor, stays: Tensor) -> Tensor:  # [N, K]
    """Price every Gaussian by the cheapest way in which it can leave.

    Gaussians of an anchor leave weakest first. Alone each saves its own bits; the last m save the
    anchor's too, and leave together where that makes the last one cheaper than the next alone (the
    lower convex hull of change over bits saved). They then have the same price.

    Args:
        mask: `[N, K]` bool, Gaussians that may leave; prices of others mean nothing.
        change: `[N, K]`, at least 0: mean squared change of pictures where one vanishes.
        stays: `[N]` bool, anchors that have others, which do not leave: no bits of theirs to save.
    """
    ordered = torch.where(mask, change, -torch.inf).sort(dim=1, descending=True)
    strength = ordered.values.clamp_min(0.0)
    there = ordered.values > -torch.inf
    alone = strength / GAUSSIAN_BITS
    together = strength.cumsum(dim=1) / (ANCHOR_BITS + GAUSSIAN_BITS * there.cumsum(dim=1))
    bundled = torch.zeros_like(mask)
    price, joins = together[:, 0].clone(), there[:, 0] & ~stays
    bundled[:, 0] = joins
    for k in range(1, mask.shape[1]):
        joins = joins & there[:, k] & (alone[:, k] > price)
        price = torch.where(joins, together[:, k], price)
        bundled[:, k] = joins
    prices = torch.where(bundled, price[:, None], alone)
    return torch.empty_like(prices).scatter_(1, ordered.indices, prices)
