"""Estimated bits of one level's increment on a random sample of anchors (facts §3.6)."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..config import ModelConfig, RateConfig
from ..model.anchor_rows import SampleRows
from ..model.anchors import Anchors
from ..model.context_network import ContextNetwork
from ..model.masks import anchor_mask, gaussian_mask, soft_gaussian_mask

__all__ = ["RateEstimate", "estimate_rate", "estimate_sample_rate", "mask_level", "step_divisor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RateEstimate:
    """Bits of the increment of one level."""

    per_scalar: Tensor
    """Bits over all scalars of the sampled anchors, masked ones included; differentiable."""
    per_anchor: float


def mask_level(config: RateConfig, level: int, num_levels: int) -> int:
    """Which level's mask is used: the last one for all where masks are not progressive."""
    return level if config.progressive_masks else num_levels


def step_divisor(config: RateConfig, level: int) -> float:
    """Return what steps of features and scalings at level 1 are divided by (facts §3.4)."""
    return 3.0 ** (level - 1) if config.progressive_steps else 1.0


def estimate_rate(
    anchors: Anchors,
    context: ContextNetwork,
    rows: Tensor,  # [n] sampled anchors
    grid: Tensor,  # [n, G] their hash features
    level: int,
    model: ModelConfig,
    config: RateConfig,
    generator: torch.Generator,
) -> RateEstimate:
    """Count what the next level's bytes would hold: first decodes, refinements, new offsets."""
    values = SampleRows(
        feature=anchors.feature.index_select(0, rows),
        log_scaling=anchors.log_scaling.index_select(0, rows),
        offsets=anchors.offsets.index_select(0, rows),
        mask_logits=anchors.mask_logits.index_select(0, rows),
    )
    return estimate_sample_rate(values, context, grid, level, model, config, generator)


def estimate_sample_rate(
    values: SampleRows,  # [n] sampled anchors
    context: ContextNetwork,
    grid: Tensor,  # [n, G] their hash features
    level: int,
    model: ModelConfig,
    config: RateConfig,
    generator: torch.Generator,
) -> RateEstimate:
    """Do what `estimate_rate` does for rows already taken."""
    logits, feature, offsets = values.mask_logits, values.feature, values.offsets
    scaling = values.log_scaling.exp()
    used = mask_level(config, level, model.num_levels)
    mask = soft_gaussian_mask(logits, used)
    present = anchor_mask(mask)
    if level == 1:
        before = torch.zeros_like(logits[..., 0], dtype=torch.bool)
    else:
        before = gaussian_mask(logits, mask_level(config, level - 1, model.num_levels))
    old = before.any(dim=1)
    base = context.steps(grid)
    divisor = step_divisor(config, level)
    steps = replace(base, feature=base.feature / divisor, scaling=base.scaling / divisor)

    new = (~old & (present > 0)).nonzero(as_tuple=True)[0]
    bits = feature.new_zeros(())
    if len(new):
        fresh = context.first_bits(
            grid[new],
            _noisy(feature[new], steps.feature[new], generator),
            _noisy(scaling[new], steps.scaling[new], generator),
            steps.feature[new],
            steps.scaling[new],
            level,
        )
        bits = bits + (fresh * present[new]).sum()
    kept = old.nonzero(as_tuple=True)[0]
    if len(kept) and config.progressive_steps:
        bits = bits + (_refinement_bits(
            context, grid[kept], feature[kept], scaling[kept],
            steps.feature[kept], steps.scaling[kept], level, config,
        ) * present[kept]).sum()  # fmt: skip
    noisy = _noisy(offsets, steps.offset[:, None], generator)
    offset_bits = context.offset_bits(grid, noisy, steps.offset)
    bits = bits + (offset_bits * mask * ~before).sum()
    scalars = len(feature) * (model.feature_dim + 6 + 3 * model.num_offsets)
    anchors_now = float((present.detach() > 0).sum().clamp_min(1))
    return RateEstimate(per_scalar=bits / scalars, per_anchor=float(bits.detach()) / anchors_now)


def _refinement_bits(
    context: ContextNetwork,
    grid: Tensor,
    feature: Tensor,
    scaling: Tensor,
    feature_step: Tensor,
    scaling_step: Tensor,
    level: int,
    config: RateConfig,
) -> Tensor:
    if config.trinomial:
        return context.trit_bits(grid, feature, scaling, feature_step, scaling_step, level)
    return context.gaussian_refinement_bits(
        grid, feature, scaling, feature_step, scaling_step, level
    )


def _noisy(values: Tensor, step: Tensor, generator: torch.Generator) -> Tensor:
    noise = torch.rand(values.shape, generator=generator, device=values.device) - 0.5
    return values + noise * step
