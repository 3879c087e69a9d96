"""Bit counts: probabilities must add up, and gradients must pull the right way."""

import pytest
import torch

from pcgs_engine.model.distributions import gaussian_bits, mixture_bits, trinomial_bits


@pytest.mark.parametrize("step", [0.1, 1.0, 3.0])
def test_gaussian_bits_over_all_symbols_are_a_probability(step):
    values = step * torch.arange(-400, 401, dtype=torch.float64)
    bits = gaussian_bits(values, torch.tensor(0.3), torch.tensor(2.0), torch.tensor(step))
    mass = torch.exp2(-bits)
    assert float(mass.sum()) == pytest.approx(1.0, abs=2e-3)  # the floor adds up to 801e-6


def test_mixture_bits_with_equal_parts_equal_one_gaussian():
    values = torch.linspace(-3, 3, 13)
    mean, scale, step = torch.tensor(0.5), torch.tensor(1.5), torch.tensor(0.7)
    one = gaussian_bits(values, mean, scale, step)
    two = mixture_bits(
        values, (mean, mean), (scale, scale), (torch.tensor(2.0), torch.tensor(-1.0)), step
    )
    torch.testing.assert_close(one, two)


def test_trinomial_bits_of_even_logits_are_log2_of_three():
    bits = trinomial_bits(torch.zeros(4, 3), torch.tensor([0, 1, 2, 1]))
    torch.testing.assert_close(bits, torch.full((4,), 1.5849625))


def test_gaussian_bits_far_outside_still_pull_the_mean_towards_the_value():
    mean = torch.zeros(1, requires_grad=True)
    scale = torch.full((1,), 3.0, requires_grad=True)
    gaussian_bits(torch.tensor([15.1]), mean, scale, torch.tensor(1.0)).sum().backward()
    assert mean.grad.item() < 0
    assert scale.grad.item() < 0


def test_gaussian_bits_of_negative_scale_use_its_magnitude():
    values, mean, step = torch.tensor([0.4]), torch.tensor(0.0), torch.tensor(1.0)
    plus = gaussian_bits(values, mean, torch.tensor(2.0), step)
    minus = gaussian_bits(values, mean, torch.tensor(-2.0), step)
    torch.testing.assert_close(plus, minus)


def test_trinomial_bits_equal_cross_entropy_with_gradients():
    random = torch.Generator().manual_seed(0)
    logits = (1.5 * torch.randn(50, 4, 3, generator=random)).requires_grad_()
    trits = torch.randint(0, 3, (50, 4), generator=random)
    bits = trinomial_bits(logits, trits)
    (found,) = torch.autograd.grad(bits.sum(), logits)
    nats = torch.nn.functional.cross_entropy(
        logits.view(-1, 3), trits.view(-1), reduction="none"
    ).view(50, 4)
    (wanted,) = torch.autograd.grad(nats.sum() / 0.6931471805599453, logits)
    torch.testing.assert_close(bits, nats / 0.6931471805599453, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


def test_trinomial_bits_below_the_floor_are_the_floor_and_still_learn():
    logits = torch.tensor([[0.0, 0.0, 40.0]], requires_grad=True)
    bits = trinomial_bits(logits, torch.tensor([0]))
    assert float(bits.detach()) == pytest.approx(19.931569, abs=1e-4)
    bits.sum().backward()
    assert logits.grad[0, 0] < 0 < logits.grad[0, 2]
