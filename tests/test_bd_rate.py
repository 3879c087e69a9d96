"""BD-rate of the benchmarks: known shifts come out."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("scipy")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from bd_rate import bd_rate, bytes_at, frontier

CURVE = [(100_000, 28.0), (200_000, 29.5), (400_000, 30.2), (800_000, 30.6)]


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.0, 1.19])
def test_a_shift_in_bytes_is_found(factor):
    shifted = [(size * factor, quality) for size, quality in CURVE]
    assert bd_rate(shifted, CURVE) == pytest.approx(100 * (factor - 1))


def test_only_the_common_range_counts():
    better_below = [(50_000, 28.0), (200_000, 29.5), (400_000, 30.2)]
    assert bd_rate(better_below, CURVE) < -5
    assert bd_rate([(1, 10.0), (2, 11.0)], CURVE) is None
    assert bd_rate(CURVE[:1], CURVE) is None


def test_points_that_lose_are_left_out():
    assert frontier([*CURVE, (500_000, 30.1), (200_000, 20.0)]) == CURVE


def test_bytes_at_a_quality():
    assert bytes_at(CURVE, 29.5) == pytest.approx(200_000)
    assert bytes_at(CURVE, 27.0) == 100_000
    assert bytes_at(CURVE, 30.7) is None
