"""Differentiable bit counts of the laws the codec uses (facts §2.2, §3.5)."""

import math

import torch
from torch import Tensor

__all__ = ["gaussian_bits", "mixture_bits", "trinomial_bits"]

MIN_SCALE = 1e-9
"""Smallest standard deviation. Source: facts §2.2."""
MIN_PROBABILITY = 1e-6
"""Floor of every probability mass. Source: facts §2.2, §3.5."""
SQRT_HALF = 0.7071067811865476


class _FloorProbability(torch.autograd.Function):
    """max(p, floor), whose gradient passes below the floor when a step would raise p.

    Source: facts §2.2 ("gradient pass-through when it would raise the likelihood").
    """

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, mass: Tensor) -> Tensor:
        ctx.save_for_backward(mass)
        return mass.clamp_min(MIN_PROBABILITY)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grads: Tensor) -> Tensor:
        (mass,) = ctx.saved_tensors  # type: ignore[attr-defined]
        (grad,) = grads
        return torch.where((mass >= MIN_PROBABILITY) | (grad < 0), grad, torch.zeros_like(grad))


def _gaussian_mass(values: Tensor, mean: Tensor, scale: Tensor, step: Tensor) -> Tensor:
    inverse = SQRT_HALF / scale.abs().clamp_min(MIN_SCALE)
    centred = (values - mean).abs()  # the law is symmetric: stay in the accurate tail
    half = 0.5 * step
    upper = torch.special.erfc((centred - half) * inverse)
    lower = torch.special.erfc((centred + half) * inverse)
    mass: Tensor = 0.5 * (upper - lower)
    return mass


def gaussian_bits(values: Tensor, mean: Tensor, scale: Tensor, step: Tensor) -> Tensor:
    """Bits of values in an interval of width `step` under one Gaussian; shapes broadcast."""
    mass = _gaussian_mass(values, mean, scale, step)
    return -torch.log2(_floor(mass))


def mixture_bits(
    values: Tensor,
    means: tuple[Tensor, Tensor],
    scales: tuple[Tensor, Tensor],
    logits: tuple[Tensor, Tensor],
    step: Tensor,
) -> Tensor:
    """Bits under a mixture of two Gaussians with softmax weights; shapes broadcast."""
    weight = torch.sigmoid(logits[0] - logits[1])
    first = _gaussian_mass(values, means[0], scales[0], step)
    second = _gaussian_mass(values, means[1], scales[1], step)
    return -torch.log2(_floor(weight * first + (1.0 - weight) * second))


def trinomial_bits(logits: Tensor, trits: Tensor) -> Tensor:
    """Bits of trits.

    Args:
        logits: `[..., 3]`.
        trits: `[...]` int64 in 0..2.
    """
    # three whole tensors: softmax, gather and cross_entropy are slow along an axis of 3
    low, same, high = logits.unbind(dim=-1)
    top = torch.maximum(torch.maximum(low, same), high).detach()
    total = torch.exp(low - top) + torch.exp(same - top) + torch.exp(high - top)
    taken = torch.where(trits == 0, low, torch.where(trits == 1, same, high))
    bits = (torch.log(total) + top - taken) * (1.0 / math.log(2.0))
    # the floor changes the value only: a step against the logits always raises the likelihood
    return bits + (bits.detach().clamp_max(-math.log2(MIN_PROBABILITY)) - bits.detach())


def _floor(mass: Tensor) -> Tensor:
    floored: Tensor = _FloorProbability.apply(mass)  # type: ignore[no-untyped-call]
    return floored
