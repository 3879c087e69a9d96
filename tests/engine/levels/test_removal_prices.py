"""Prices of leaving Gaussians, against every order in which an anchor's can leave."""

import pytest
import torch

from pcgs_engine.levels.removal_prices import ANCHOR_BITS, GAUSSIAN_BITS, removal_prices


def hull_prices(changes):
    """Slopes of the lower convex hull of change over bits saved, by strength, weakest first."""
    changes = sorted(changes)
    count = len(changes)
    points = [(GAUSSIAN_BITS * j, sum(changes[:j])) for j in range(count + 1)]
    points[-1] = (points[-1][0] + ANCHOR_BITS, points[-1][1])
    prices, at = [], 0
    while at < count:
        x, y = points[at]
        slopes = [(points[j][1] - y) / (points[j][0] - x) for j in range(at + 1, count + 1)]
        best = min(range(len(slopes)), key=lambda j: (slopes[j], -j))
        prices += [slopes[best]] * (best + 1)
        at += best + 1
    return prices


def test_prices_are_slopes_of_the_convex_hull():
    generator = torch.Generator().manual_seed(0)
    mask = torch.rand(300, 6, generator=generator) < 0.6
    change = torch.rand(300, 6, generator=generator) ** 4
    prices = removal_prices(mask, change, torch.zeros(len(mask), dtype=torch.bool))
    bundles = 0
    for there, changes, found in zip(mask, change, prices, strict=True):
        wanted = hull_prices(changes[there].tolist())
        order = changes[there].sort().indices
        assert found[there][order].tolist() == pytest.approx(wanted, rel=1e-5)
        bundles += 1 < wanted.count(wanted[-1]) < len(wanted) if wanted else 0
    assert bundles > 10  # some Gaussians leave alone, then the rest with their anchor


def test_a_lone_gaussian_is_cheaper_than_one_of_many():
    mask = torch.tensor([[True, False], [True, True]])
    change = torch.tensor([[1.0, 0.0], [1.0, 50.0]])
    prices = removal_prices(mask, change, torch.zeros(len(mask), dtype=torch.bool))
    assert prices[0, 0] == pytest.approx(1.0 / (ANCHOR_BITS + GAUSSIAN_BITS))
    assert prices[1, 0] == pytest.approx(1.0 / GAUSSIAN_BITS)


def test_gaussians_of_an_anchor_that_stays_save_their_own_bits_alone():
    mask = torch.tensor([[True, True, False], [True, False, False]])
    change = torch.tensor([[3.0, 1.0, 0.0], [2.0, 0.0, 0.0]])
    prices = removal_prices(mask, change, torch.tensor([True, True]))
    assert torch.equal(prices[mask], torch.tensor([3.0, 1.0, 2.0]) / GAUSSIAN_BITS)
