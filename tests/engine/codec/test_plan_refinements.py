"""Order and packages of refinements: what is worth most per bit comes first."""

from dataclasses import replace

import numpy as np
import pytest
from known_canvas import blocks_of, table_of
from synthetic_model import small_config, synthetic_model

from pcgs_engine.bitstream import ChunkType
from pcgs_engine.codec import ProgressiveDecoder, encode_chunks
from pcgs_engine.codec.plan_refinements import (
    Candidate,
    RefinementPlan,
    mean_slope,
    plan_refinements,
)
from pcgs_engine.entropy.refinement_laws import Block

ALL = RefinementPlan(first_worth=-1e9, last_worth=-1e9)


def candidate(channel, gain, bits, group=0):
    return Candidate(block=Block(group=group, channel=channel), gain=gain, bits=bits)


def channels(packages):
    return [[block.channel for block in package] for package in packages]


def test_blocks_fall_by_gain_per_bit():
    found = plan_refinements(
        [candidate(0, 5, 10), candidate(1, 9, 3), candidate(2, 100, 400)], 0.0, 1
    )
    assert channels(found) == [[1, 0, 2]]


def test_equal_worth_keeps_the_order_of_blocks():
    some = [candidate(c, 1.0, 2.0, group=g) for g in (1, 0) for c in (2, 0, 1)]
    found = plan_refinements(some, 0.0, 1)[0]
    assert found == sorted(c.block for c in some)


def test_blocks_below_the_bar_are_left_out():
    some = [candidate(0, 1.0, 10), candidate(1, 3.0, 10), candidate(2, -1.0, 10)]
    assert channels(plan_refinements(some, 0.2, 4)) == [[1]]
    assert channels(plan_refinements(some, 0.1, 1)) == [[1, 0]]
    assert channels(plan_refinements(some, -1.0, 1)) == [[1, 0, 2]]
    assert plan_refinements(some, 9.0, 4) == []
    assert plan_refinements([], 0.0, 4) == []


def test_free_blocks_count_as_one_bit():
    assert candidate(0, 3.0, 0.0).slope == 3.0
    assert channels(plan_refinements([candidate(0, 0.0, 0.0)], 0.0, 4)) == [[0]]


@pytest.mark.parametrize("packages", [1, 4, 16])
def test_packages_are_of_about_equal_size(packages):
    rng = np.random.default_rng(packages)
    some = [candidate(c, rng.random(), rng.uniform(50, 150)) for c in range(400)]
    found = plan_refinements(some, -1.0, packages)
    assert len(found) == packages
    bits = {c.block: c.bits for c in some}
    sizes = [sum(bits[b] for b in package) for package in found]
    assert sum(map(len, found)) == len(some)
    assert max(sizes) < min(sizes) + 300


def test_a_large_block_does_not_leave_empty_packages():
    some = [candidate(0, 1000.0, 1000.0), *(candidate(c, 0.1, 10.0) for c in range(1, 9))]
    found = plan_refinements(some, 0.0, 8)
    assert all(found)
    assert sum(map(len, found)) == 9


def test_mean_slope_is_all_gain_per_all_bits():
    assert mean_slope([candidate(0, 4.0, 10), candidate(1, 2.0, 20)]) == pytest.approx(0.2)
    assert mean_slope([]) == 0.0


def test_bars_fall_geometrically_from_first_to_last():
    plan = RefinementPlan(first_worth=0.32, last_worth=0.02)
    assert [plan.least_worth(s, 6) for s in range(2, 7)] == pytest.approx(
        [0.32, 0.16, 0.08, 0.04, 0.02]
    )
    assert plan.least_worth(2, 2) == 0.02


@pytest.mark.parametrize(("first", "last"), [(-1.0, -1.0), (0.0, 0.0), (0.5, 0.0), (-2.0, 0.1)])
def test_bars_without_a_geometric_mean_are_the_last_one(first, last):
    plan = RefinementPlan(first_worth=first, last_worth=last)
    assert [plan.least_worth(s, 4) for s in (2, 3, 4)] == [first, last, last]


@pytest.fixture(scope="module")
def coded():
    return synthetic_model(150, config=small_config(4), seed=2, ranks=3)


def encoded(coded, plan):
    return encode_chunks(coded, plan=plan).to_bytes({})


def test_wanted_packages_are_about_those_of_the_file(coded):
    for packages in (1, 3, 9):
        data = encoded(coded, replace(ALL, packages=packages))
        for level in (2, 3, 4):
            parts = [c for c in table_of(data).chunks if c.level == level and c.part]
            assert packages - 1 <= len(parts) <= packages


def test_any_order_of_packages_ends_at_the_same_values(coded):
    turned = replace(coded, ranking=replace(coded.ranking, gain=1.0 / coded.ranking.gain))
    one, two = (ProgressiveDecoder(), ProgressiveDecoder())
    one.feed(encoded(coded, replace(ALL, packages=5)))
    two.feed(encoded(turned, replace(ALL, packages=3)))
    for level in (2, 3, 4):
        assert np.array_equal(one.anchors(level).features, two.anchors(level).features)
        assert np.array_equal(one.anchors(level).scaling, two.anchors(level).scaling)


def test_first_package_is_worth_more_per_bit_than_the_last(coded):
    data = encoded(coded, replace(ALL, packages=6))
    blocks = blocks_of(data, coded)
    sizes = {c.part: c.size for c in table_of(data).chunks if c.level == 2 and c.part}
    gain = coded.ranking.gain[:, :, 0]
    worth = [sum(gain[b.group, b.channel] for b in blocks[2, part]) / sizes[part] for part in sizes]
    assert worth[0] > 2 * worth[-1]


def test_dropped_blocks_make_the_file_smaller(coded):
    sizes = [
        len(encoded(coded, RefinementPlan(first_worth=bar, last_worth=bar)))
        for bar in (-1e9, 0.5, 1.0, 1e9)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 4


def test_worthless_refinements_are_kept_only_below_the_bar(coded):
    """A ranking of zeros has no unit: nothing is worth less than nothing."""
    flat = replace(coded, ranking=replace(coded.ranking, gain=np.zeros_like(coded.ranking.gain)))
    data = encoded(flat, RefinementPlan())
    assert any(c.kind is ChunkType.REFINEMENTS for c in table_of(data).chunks)
    decoder = ProgressiveDecoder()
    decoder.feed(data)
    assert decoder.complete
