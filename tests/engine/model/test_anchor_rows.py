"""Rows of anchors: the fused kernel against plain torch, its noise, its gradients."""

import pytest
import torch

from pcgs_engine.kernels.pool import KernelPool
from pcgs_engine.model.anchor_rows import present_rows, take_rows
from pcgs_engine.model.anchors import ANCHOR_PARAMETERS, Anchors

COUNT, FEATURES, OFFSETS, LEVELS = 500, 6, 4, 3
DRAWN = ("feature", "scaling", "offsets", "mask")
PLAIN = ("feature", "log_scaling", "offsets", "mask_logits")


def build_anchors() -> Anchors:
    random = torch.Generator().manual_seed(1)
    values = {
        "feature": torch.randn(COUNT, FEATURES, generator=random),
        "log_scaling": torch.randn(COUNT, 6, generator=random) - 2.0,
        "offsets": torch.randn(COUNT, OFFSETS, 3, generator=random),
        "mask_logits": 6.0 * torch.randn(COUNT, OFFSETS, LEVELS, generator=random) - 6.0,
    }
    lattice = torch.zeros(COUNT, 3, dtype=torch.int32)
    parameters = {name: t.requires_grad_() for name, t in values.items()}
    return Anchors(lattice=lattice, voxel_size=0.1, **parameters)


def pick(seed: int, count: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randperm(COUNT, generator=random)[:count].sort().values


def run(level, steps, pool, sample_size=40):
    anchors = build_anchors()
    generator = torch.Generator().manual_seed(9)
    drawn, plain = take_rows(
        anchors, pick(2, 200), pick(3, sample_size), level, steps, generator, pool
    )
    weights = torch.Generator().manual_seed(4)
    total = torch.zeros(())
    outputs = [getattr(drawn, n) for n in DRAWN] + [getattr(plain, n) for n in PLAIN]
    for values in outputs:
        total = total + (values * torch.randn(values.shape, generator=weights)).sum()
    total.backward()
    return drawn, outputs, [getattr(anchors, name).grad for name in ANCHOR_PARAMETERS]


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("sample_size", [0, 40])
def test_fused_rows_without_noise_equal_plain_torch_with_gradients(level, sample_size):
    _, expected, expected_gradients = run(level, None, None, sample_size)
    drawn, outputs, gradients = run(level, None, KernelPool(2), sample_size)
    assert 0 < int(drawn.mask.sum()) < drawn.mask.numel()
    for found, wanted in zip(outputs + gradients, expected + expected_gradients, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_present_rows_of_the_kernel_equal_plain_torch(level):
    anchors, rows = build_anchors(), pick(2, 300)
    expected = present_rows(anchors, rows, level)
    assert 0 < len(expected) < 300
    assert torch.equal(present_rows(anchors, rows, level, KernelPool(2)), expected)


@pytest.mark.parametrize("pool", [None, KernelPool(2)])
def test_noise_is_uniform_of_the_width_of_its_steps_and_steps_learn_from_it(pool):
    steps = torch.tensor([0.5, 0.01, 2.0]).repeat(200, 1).requires_grad_()
    clean = run(2, None, pool)[0]
    noisy = run(2, steps, pool)[0]
    for column, name in enumerate(("feature", "scaling", "offsets")):
        width = float(steps.detach()[0, column])
        noise = ((getattr(noisy, name) - getattr(clean, name)) / width).detach()
        assert -0.5001 < float(noise.min()) < -0.48
        assert 0.48 < float(noise.max()) < 0.5001
        assert float(noise.mean()) == pytest.approx(0.0, abs=0.03)
        assert float(noise.std()) == pytest.approx(12**-0.5, abs=0.01)
    weights = torch.Generator().manual_seed(4)
    draws = torch.randn(200, FEATURES, generator=weights)
    wanted = (draws * (noisy.feature - clean.feature).detach() / 0.5).sum(dim=1)
    torch.testing.assert_close(steps.grad[:, 0], wanted, rtol=1e-3, atol=1e-4)


def test_noise_of_the_same_generator_state_is_the_same_for_any_number_of_threads():
    steps = torch.ones(200, 3)
    one = run(2, steps, KernelPool(1))
    three = run(2, steps, KernelPool(3))
    for found, wanted in zip(one[1] + one[2], three[1] + three[2], strict=True):
        assert torch.equal(found, wanted)
    other = run(2, steps, None)[0]
    assert not torch.equal(one[0].feature, other.feature)


def run_rounded(steps, pool):
    """Return drawn rows, clean rows and the steps' gradient, of anchors rounded at level 2."""
    generator = torch.Generator().manual_seed(9)
    rows = pick(2, 200)
    drawn, _ = take_rows(
        build_anchors(), rows, rows[:0], 2, steps, generator, pool, rounded=True
    )  # fmt: skip
    clean, _ = take_rows(build_anchors(), rows, rows[:0], 2, None, generator, pool)
    draws = torch.Generator().manual_seed(4)
    weights = {n: torch.randn(getattr(drawn, n).shape, generator=draws) for n in DRAWN[:3]}
    sum((getattr(drawn, n) * w).sum() for n, w in weights.items()).backward()
    return drawn, clean, weights


@pytest.mark.parametrize("pool", [None, KernelPool(2)])
def test_rounded_rows_are_multiples_of_their_steps_and_steps_learn_from_the_error(pool):
    steps = torch.tensor([0.5, 0.01, 2.0]).repeat(200, 1).requires_grad_()
    drawn, clean, weights = run_rounded(steps, pool)
    for column, (name, weight) in enumerate(weights.items()):
        width = float(steps.detach()[0, column])
        index = (getattr(clean, name) / width).detach().round()
        torch.testing.assert_close(getattr(drawn, name), index * width)
        error = (getattr(drawn, name) - getattr(clean, name)).detach() / width
        wanted = (error * weight).flatten(1).sum(dim=1)
        torch.testing.assert_close(steps.grad[:, column], wanted, rtol=1e-3, atol=1e-3)
