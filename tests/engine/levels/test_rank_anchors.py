"""Ranks by worth, and the worth of groups: plain sums over their anchors."""

import numpy as np
import pytest

from pcgs_engine.entropy.coded_model import CodedAnchors
from pcgs_engine.levels.rank_anchors import RANKS, SHARES, rank_anchors

COUNTS, F, S = (200, 50, 30), 4, 3


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    N = sum(COUNTS)
    steps = np.repeat(rng.uniform(0.5, 2, (N, 2)), (F, 6), axis=1)
    values = rng.normal(0, 3, (N, F + 6))
    values[:, F:] = np.abs(values[:, F:])
    finest = np.rint(values / (steps / 9)).astype(np.int32)
    anchors = CodedAnchors(
        first_level=np.repeat([1, 2, 3], COUNTS).astype(np.uint8),
        positions=np.zeros((N, 3), np.int32),
        mask_level=np.ones((N, 1), np.uint8),
        features=finest[:, :F],
        scaling=finest[:, F:],
        offsets=np.zeros((N, 1, 3), np.int32),
    )
    sensitivity = rng.exponential(1.0, (N, F + 6)) * rng.exponential(1.0, (N, 1))
    return anchors, values, steps, sensitivity


def plain_gains(anchors, values, steps, sensitivity):
    """Fall of the weighted squared error of each value from depth d to d + 1."""
    symbols = np.concatenate([anchors.features, anchors.scaling], axis=1).astype(float)
    errors = []
    for depth in range(S):
        coarse = symbols.copy()
        for _ in range(S - 1 - depth):
            coarse = np.rint(coarse / 3)
        errors.append(sensitivity * (coarse * steps / 3**depth - values) ** 2)
    return np.stack([errors[d] - errors[d + 1] for d in range(S - 1)])


def test_ranks_hold_their_shares_of_every_level_but_the_last(case):
    found = rank_anchors(*case, S)
    assert found.ranks == RANKS == 4
    first = case[0].first_level
    for level, count in ((1, 200), (2, 50)):
        sizes = np.bincount(found.rank[first == level], minlength=RANKS)
        assert sizes.tolist() == [round(share * count) for share in SHARES]
    assert (found.rank[first == 3] == 0).all()


def test_ranks_fall_with_what_refining_once_would_bring(case):
    found, gains = rank_anchors(*case, S), plain_gains(*case)
    first = case[0].first_level
    for level in (1, 2):
        rows = first == level
        worth = gains[level - 1, rows].sum(axis=1)
        for rank in range(RANKS - 1):
            better, worse = (worth[found.rank[rows] == r] for r in (rank, rank + 1))
            assert better.min() >= worse.max()


def test_gain_of_a_group_is_the_sum_over_its_anchors(case):
    found, gains = rank_anchors(*case, S), plain_gains(*case)
    assert found.gain.shape == (S * RANKS, F + 6, S - 1)
    group = (case[0].first_level.astype(int) - 1) * RANKS + found.rank
    for g in range(S * RANKS):
        for depth in range(S - 1):
            wanted = gains[depth, group == g].sum(axis=0)
            np.testing.assert_allclose(found.gain[g, :, depth], wanted, rtol=1e-9, atol=1e-9)
    assert found.gain.sum() > 0


def test_equal_worth_keeps_the_order_of_anchors(case):
    anchors, values, steps, _ = case
    found = rank_anchors(anchors, values, steps, np.zeros_like(values), S)
    ranks = found.rank[: COUNTS[0]]
    assert (np.diff(ranks.astype(int)) >= 0).all()
    assert np.bincount(ranks).tolist() == [20, 40, 60, 80]


def test_one_level_has_nothing_to_rank(case):
    anchors, values, steps, sensitivity = case
    one = CodedAnchors(
        **{n: getattr(anchors, n)[:9] for n in anchors.__slots__ if n != "first_level"},
        first_level=np.ones(9, np.uint8),
    )
    found = rank_anchors(one, values[:9], steps[:9], sensitivity[:9], 1)
    assert found.gain.shape == (RANKS, F + 6, 0)
    assert (found.rank == 0).all()


@pytest.mark.parametrize("count", [1, 2, 3, 11])
def test_few_anchors_get_valid_ranks(case, count):
    anchors, values, steps, sensitivity = case
    few = CodedAnchors(**{n: getattr(anchors, n)[:count] for n in anchors.__slots__})
    found = rank_anchors(few, values[:count], steps[:count], sensitivity[:count], S)
    assert found.rank.max() < RANKS
