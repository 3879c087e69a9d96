"""Progressive masks: learned logits in, which Gaussians and anchors exist at a level out.

Source: facts §2.3, §3.3. Level 1 uses its logit alone; each further level adds a softplus, so a
mask never shrinks with the level.
"""

import torch
from torch import Tensor
from torch.nn.functional import softplus

__all__ = [
    "GONE_LOGIT",
    "MASK_THRESHOLD",
    "anchor_mask",
    "gaussian_mask",
    "leave_levels",
    "soft_gaussian_mask",
]

MASK_THRESHOLD = 0.01
"""A Gaussian exists where sigmoid(logit) exceeds this. Source: facts §2.3 (epsilon)."""
GONE_LOGIT = -40.0
"""Logit and increments of a Gaussian that is out of a level for good: its pictures give it no
gradient, and no rate of learning reaches the threshold from there."""


def _level_probability(logits: Tensor, level: int) -> Tensor:
    total = logits[..., 0]
    if level > 1:
        total = total + softplus(logits[..., 1:level]).sum(dim=-1)
    return torch.sigmoid(total)


def gaussian_mask(logits: Tensor, level: int) -> Tensor:
    """Return the hard mask.

    Args:
        logits: `[n, K, S]`.
        level: 1-based.

    Returns:
        `[n, K]` bool.
    """
    return _level_probability(logits.detach(), level) > MASK_THRESHOLD


def soft_gaussian_mask(logits: Tensor, level: int) -> Tensor:
    """Return the mask as 0/1 floats whose gradient is the sigmoid's (straight-through)."""
    probability = _level_probability(logits, level)
    hard = (probability > MASK_THRESHOLD).to(probability.dtype)
    return hard + (probability - probability.detach())


def anchor_mask(mask: Tensor) -> Tensor:
    """Reduce `[n, K]` to `[n]`: an anchor exists where any of its Gaussians does.

    A float mask keeps a straight-through gradient of the mean over K.
    """
    if not mask.is_floating_point():
        return mask.any(dim=-1)
    mean = mask.mean(dim=-1)
    return (mean > 0).to(mask.dtype) + (mean - mean.detach())


def leave_levels(logits: Tensor, levels: Tensor) -> Tensor:
    """Return logits of Gaussians that leave their first levels for good.

    From the next level on a Gaussian's mask is what it was.

    Args:
        logits: `[M, S]`.
        levels: `[M]` int64, how many levels each leaves, 0..S.
    """
    totals = torch.cat([logits[:, :1], softplus(logits[:, 1:])], dim=1).cumsum(dim=1)
    level = torch.arange(logits.shape[1], device=logits.device)
    found = torch.where(level < levels[:, None], torch.full_like(logits, GONE_LOGIT), logits)
    # softplus(x) is x where x is large: the increment that comes from GONE_LOGIT back to before
    back = (level == levels[:, None]) & (level > 0)
    return torch.where(back, totals - GONE_LOGIT, found)
