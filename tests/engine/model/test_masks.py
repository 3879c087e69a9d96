"""Progressive masks: what exists at a level, and what learns from it."""

import math
from itertools import pairwise

import pytest
import torch

from pcgs_engine.model.masks import (
    anchor_mask,
    gaussian_mask,
    leave_levels,
    soft_gaussian_mask,
)


def random_logits(seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 8.0 * torch.randn(200, 5, 4, generator=generator) - 4.0


def test_gaussian_mask_with_rising_level_never_shrinks():
    logits = random_logits()
    masks = [gaussian_mask(logits, level) for level in range(1, 5)]
    for low, high in pairwise(masks):
        assert not (low & ~high).any()
    assert masks[0].sum() < masks[-1].sum()


def test_gaussian_mask_at_level_one_ignores_later_logits():
    logits = random_logits()
    changed = logits.clone()
    changed[..., 1:] = 100.0
    assert torch.equal(gaussian_mask(logits, 1), gaussian_mask(changed, 1))


def test_soft_mask_is_binary_and_passes_the_sigmoid_gradient():
    logits = random_logits().requires_grad_()
    mask = soft_gaussian_mask(logits, 2)
    assert set(mask.detach().unique().tolist()) <= {0.0, 1.0}
    mask.sum().backward()
    total = logits.detach()[..., 0] + torch.nn.functional.softplus(logits.detach()[..., 1])
    expected = torch.sigmoid(total) * (1 - torch.sigmoid(total))
    torch.testing.assert_close(logits.grad[..., 0], expected)
    assert (logits.grad[..., 2:] == 0).all()


def test_anchor_mask_of_floats_equals_any_and_has_gradient():
    logits = random_logits().requires_grad_()
    soft = soft_gaussian_mask(logits, 1)
    reduced = anchor_mask(soft)
    assert torch.equal(reduced > 0, gaussian_mask(logits, 1).any(dim=1))
    reduced.sum().backward()
    assert logits.grad[..., 0].abs().sum() > 0


def test_leaving_levels_hides_a_gaussian_there_and_keeps_its_mask_after():
    logits = torch.tensor([[1.0, -3.5, -3.5]]).repeat(4, 1)
    left = leave_levels(logits, torch.tensor([0, 1, 2, 3]))
    assert torch.equal(left[0], logits[0])
    for level in (1, 2, 3):
        there = gaussian_mask(left, level)
        assert there.tolist() == [level > leaves for leaves in range(4)]
        before, now = (soft_gaussian_mask(x[:, None], level) for x in (logits, left))
        assert torch.equal(before[0], now[0])
    # a Gaussian that is back has the logit it had: learned masks go on from there
    total = left[1, 0] + torch.nn.functional.softplus(left[1, 1])
    assert float(total) == pytest.approx(1.0 + math.log1p(math.exp(-3.5)), abs=1e-4)
