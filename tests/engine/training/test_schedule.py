"""Clock and learning rates."""

import pytest

from pcgs_engine.config import TrainingConfig
from pcgs_engine.training.schedule import Clock, image_scale, learning_rates, log_linear


def test_clock_without_limit_finishes_after_the_planned_iterations():
    clock = Clock(iterations=250, time_limit=None)
    while not clock.finished:
        clock.advance(0.1)
    assert clock.iteration == 250
    assert clock.total == 250


def test_clock_with_time_limit_compresses_the_schedule_to_fit():
    clock = Clock(iterations=10_000, time_limit=100.0)
    while not clock.finished:
        clock.advance(0.1)
    assert 950 <= clock.iteration <= 1050
    assert clock.elapsed == pytest.approx(100.0, rel=0.05)


def test_clock_with_generous_limit_keeps_the_planned_iterations():
    clock = Clock(iterations=300, time_limit=1e6)
    while not clock.finished:
        clock.advance(0.1)
    assert clock.iteration == 300


def dear_run(clock):
    """Run a clock whose iterations take three times as long from 0.7 on; return all its eta."""
    foretold = []
    while not clock.finished:
        clock.advance(0.3 if clock.progress >= 0.7 else 0.1)
        foretold.append((clock.elapsed, clock.eta))
    return foretold


def test_clock_knows_beforehand_that_late_iterations_take_longer():
    clock = Clock(iterations=1000, time_limit=None, dear_from=0.7, dear_cost=3.0)
    for elapsed, eta in dear_run(clock):
        assert elapsed + eta == pytest.approx(160.0, rel=0.01)


def test_clock_with_time_limit_leaves_the_time_that_late_iterations_take():
    clock = Clock(iterations=10_000, time_limit=160.0, dear_from=0.7, dear_cost=3.0)
    dear_run(clock)
    assert clock.elapsed == pytest.approx(160.0, rel=0.05)
    assert 950 <= clock.iteration <= 1050


def test_log_linear_meets_both_ends_and_the_geometric_middle():
    assert log_linear(1e-2, 1e-4, 0.0) == pytest.approx(1e-2)
    assert log_linear(1e-2, 1e-4, 1.0) == pytest.approx(1e-4)
    assert log_linear(1e-2, 1e-4, 0.5) == pytest.approx(1e-3)


def test_context_rate_stays_constant_until_the_rate_term_starts():
    config = TrainingConfig()
    early = learning_rates(config, 0.1)["context"]
    start = learning_rates(config, config.rate.start)["context"]
    late = learning_rates(config, 1.0)["context"]
    assert early == pytest.approx(start) == pytest.approx(config.learning_rates.context)
    assert late == pytest.approx(config.learning_rates.context_last)


def test_image_scale_is_the_first_one_until_its_moment_and_full_size_from_then_on():
    config = TrainingConfig(first_scale=0.5, full_size_from=0.4)
    assert [image_scale(config, p) for p in (0.0, 0.39, 0.4, 1.0)] == [0.5, 0.5, 1.0, 1.0]
    assert image_scale(TrainingConfig(), 0.0) == 1.0
