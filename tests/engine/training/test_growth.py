"""Growing and pruning on a hand-made set of anchors."""

import dataclasses

import torch

from pcgs_engine.config import AnchorGrowthConfig
from pcgs_engine.model.anchors import Anchors
from pcgs_engine.model.masks import gaussian_mask
from pcgs_engine.training.growth import (
    GrowthStatistics,
    adjust_anchors,
    drop_masked_anchors,
)
from pcgs_engine.training.optimizer import ModelOptimizer

K = 2


def make_anchors(lattice: list[list[int]]) -> Anchors:
    count = len(lattice)
    return Anchors(
        lattice=torch.tensor(lattice, dtype=torch.int32),
        voxel_size=0.5,
        feature=torch.arange(count, dtype=torch.float32)[:, None].repeat(1, 4),
        log_scaling=torch.zeros(count, 6),
        offsets=torch.zeros(count, K, 3),
        mask_logits=torch.ones(count, K, 3),
    )


def make_state(lattice: list[list[int]]) -> tuple[Anchors, ModelOptimizer, GrowthStatistics]:
    anchors = make_anchors(lattice)
    optimizer = ModelOptimizer(anchors, {})
    statistics = GrowthStatistics.empty(len(anchors), K, torch.device("cpu"))
    statistics.anchor_seen += 10
    statistics.opacity += 10
    return anchors, optimizer, statistics


CONFIG = AnchorGrowthConfig(interval=10, depth=1, init_factor=4, gradient_threshold=1e-3)


def grow(anchors, optimizer, statistics, config=CONFIG, seed=0):
    generator = torch.Generator().manual_seed(seed)
    adjust_anchors(anchors, optimizer, statistics, config, (-1.5, 0.5, 0.5), generator)


def pull(anchors, statistics, row: int, k: int, target: list[float], strength: float = 1.0):
    """Put Gaussian (row, k) at `target` and give it a strong gradient."""
    offset = torch.tensor(target) - anchors.positions[row]
    anchors.offsets.data[row, k] = offset
    statistics.offset_seen[row, k] = 10
    statistics.gradient[row, k] = 10 * strength


def test_growth_adds_an_anchor_at_the_coarse_cell_of_a_pulling_gaussian():
    anchors, optimizer, statistics = make_state([[0, 0, 0]])
    for k in range(K):  # each candidate is dropped with probability 1/2: pull both, try seeds
        pull(anchors, statistics, 0, k, [4.1, 0.0, 0.0])
    seed = 0
    while len(anchors) == 1 and seed < 20:
        statistics.offset_seen += 10
        statistics.gradient += 10
        grow(anchors, optimizer, statistics, seed=seed)
        seed += 1
    assert len(anchors) == 2
    assert anchors.lattice[1].tolist() == [8, 0, 0]  # round(4.1 / (0.5 * 4)) * 4
    assert torch.equal(anchors.feature[1], anchors.feature[0])
    assert (anchors.mask_logits[1] == torch.tensor([-1.5, 0.5, 0.5])).all()
    assert statistics.gradient.shape == (2, K)


def test_growth_into_an_occupied_cell_adds_nothing():
    anchors, optimizer, statistics = make_state([[0, 0, 0], [8, 0, 0]])
    for k in range(K):
        pull(anchors, statistics, 0, k, [4.0, 0.0, 0.0])
    for seed in range(10):
        grow(anchors, optimizer, statistics, seed=seed)
    assert len(anchors) == 2


def test_growth_stops_at_the_exact_budget():
    count = 64
    anchors, optimizer, statistics = make_state([[0, 64 * i, 0] for i in range(count)])
    for row in range(count):
        for k in range(K):
            pull(anchors, statistics, row, k, [40.0 + 4 * k, 32.0 * row, 0.0], strength=row + 1)
    config = AnchorGrowthConfig(
        interval=10, depth=1, init_factor=4, gradient_threshold=1e-3, max_anchors=count + 7
    )
    grow(anchors, optimizer, statistics, config)
    assert len(anchors) == count + 7
    assert anchors.lattice[count:, 1].min() > 64 * count // 2  # the strongest pulls won


def test_prune_drops_anchors_that_stay_transparent_and_keeps_moments_aligned():
    anchors, optimizer, statistics = make_state([[0, 0, 0], [8, 0, 0], [16, 0, 0]])
    (anchors.feature * torch.tensor([[1.0], [2.0], [3.0]])).sum().backward()
    optimizer.set_rates(dict.fromkeys(("feature", "log_scaling", "offsets", "mask_logits"), 0.0))
    optimizer.step()
    statistics.opacity[1] = 0.0
    grow(anchors, optimizer, statistics)
    assert anchors.lattice[:, 0].tolist() == [0, 16]
    moments = optimizer.state_tensors()["feature.0.exp_avg"]
    torch.testing.assert_close(moments[:, 0], torch.tensor([0.1, 0.3]))


def test_statistics_convert_pixel_gradients_to_ndc_units():
    _, _, statistics = make_state([[0, 0, 0]])

    class FakeDerived:
        slots = torch.tensor([1])
        opacity = torch.tensor([[-0.5, 0.25]])

    statistics.opacity.zero_()
    statistics.add(
        torch.tensor([0]),
        FakeDerived(),
        torch.tensor([[3e-4, 0.0]]),
        torch.tensor([True]),
        (200, 100),
    )
    torch.testing.assert_close(statistics.gradient, torch.tensor([[0.0, 3e-2]]))
    torch.testing.assert_close(statistics.opacity, torch.tensor([0.25]))


def test_drop_masked_anchors_deletes_only_what_no_level_uses():
    anchors, optimizer, statistics = make_state([[0, 0, 0], [8, 0, 0], [16, 0, 0]])
    anchors.mask_logits.data[:2] = -20.0
    anchors.mask_logits.data[0, 1, 2] = 30.0  # one Gaussian exists at the last level only
    assert drop_masked_anchors(anchors, optimizer, statistics)
    assert anchors.lattice[:, 0].tolist() == [0, 16]
    assert len(statistics.opacity) == 2
    assert not drop_masked_anchors(anchors, optimizer, statistics)


def grown_by_many(**config):
    """Anchors of which the first 64 have grown others under a changed config."""
    anchors, optimizer, statistics = make_state([[0, 64 * i, 0] for i in range(64)])
    for row in range(64):
        for k in range(K):
            pull(anchors, statistics, row, k, [40.0, 32.0 * row, 0.0])
    grow(anchors, optimizer, statistics, dataclasses.replace(CONFIG, **config))
    return anchors


def test_new_gaussians_start_spread_over_the_cube_asked_for():
    offsets = grown_by_many(spread=0.5).offsets.detach()[64:]
    assert len(offsets) > 20
    assert 0.2 < float(offsets.abs().max()) <= 0.25
    assert float(offsets.std(dim=1).min()) > 0.0


def test_of_a_new_anchor_as_many_gaussians_are_there_as_asked_for():
    anchors = grown_by_many(new_gaussians=1)
    new = anchors.mask_logits.detach()[64:]
    assert len(new) > 20
    for level in (1, 2, 3):
        there = gaussian_mask(new, level)
        assert (there.sum(dim=1) == 1).all()
        assert 0.1 < float(there[:, 0].float().mean()) < 0.9  # any of them, by chance
    assert gaussian_mask(anchors.mask_logits[:64], 1).all()
