"""Where a run stands: progress in [0, 1], learning rates and phases derived from it.

Progress advances by 1 / iterations, or faster where a time limit would otherwise cut the run off
before its learning rates have decayed: a run with `--time-limit` finishes its whole schedule.
"""

import math
from dataclasses import dataclass

from ..config import LearningRateConfig, TrainingConfig

__all__ = ["Clock", "image_scale", "learning_rates", "log_linear"]

TYPICAL_EXTENT = 5.0
"""Offsets and mask logits have no unit, yet the published rates are multiplied by the scene's
extent, so that results depend on the unit of length. Every scene gets the extent usual for the
published scenes instead. Source of the rule: facts §1.4."""


@dataclass(slots=True, kw_only=True)
class Clock:
    """Iteration counter and progress of one run; saved in checkpoints."""

    iterations: int
    """Planned iterations."""
    time_limit: float | None
    """Seconds of training in all, or None."""
    iteration: int = 0
    progress: float = 0.0
    elapsed: float = 0.0
    """Training seconds so far, over all sessions of the run."""
    work: float = 0.0
    """Iterations so far, late ones counted `dear_cost` times."""
    dear_from: float = 1.0
    """Progress from which an iteration takes `dear_cost` times as long as before."""
    dear_cost: float = 1.0

    @property
    def step(self) -> float:
        """Progress one iteration makes at the current speed."""
        planned = 1.0 / self.iterations
        if self.time_limit is None or self.iteration < 20:
            return planned  # the first iterations compile kernels and say nothing about speed
        seconds_left = max(self.time_limit - self.elapsed, 1e-3)
        return max(planned, self._work_left * self.elapsed / self.work / seconds_left)

    @property
    def _work_left(self) -> float:
        """Cost of what is left of the schedule, 1 for a whole one of cheap iterations."""
        cheap = max(self.dear_from - self.progress, 0.0)
        return cheap + self.dear_cost * max(1.0 - self.progress - cheap, 0.0)

    @property
    def finished(self) -> bool:
        """Whether the schedule is complete."""
        return self.progress >= 1.0 - 1e-9

    @property
    def total(self) -> int:
        """Expected iterations in all."""
        return self.iteration + math.ceil(max(1.0 - self.progress, 0.0) / self.step - 1e-6)

    @property
    def eta(self) -> float:
        """Seconds left at the mean speed so far."""
        if not self.work:
            return 0.0
        return self._work_left / self.step * self.elapsed / self.work

    def advance(self, seconds: float) -> None:
        """Count one iteration that took `seconds`."""
        step, dear = self.step, self.progress >= self.dear_from
        self.progress = min(self.progress + step, 1.0)
        self.work += self.dear_cost if dear else 1.0
        self.iteration += 1
        self.elapsed += seconds


def image_scale(config: TrainingConfig, progress: float) -> float:
    """Return the part of their size at which images are drawn at `progress`."""
    return config.first_scale if progress < config.full_size_from else 1.0


def log_linear(first: float, last: float, progress: float) -> float:
    """Interpolate learning rates in the logarithm. Source: facts §1.4 ("expon")."""
    t = min(max(progress, 0.0), 1.0)
    return math.exp(math.log(first) * (1.0 - t) + math.log(last) * t)


def learning_rates(config: TrainingConfig, progress: float) -> dict[str, float]:
    """Return the rate of every optimizer group at `progress` (facts §1.4)."""
    rates: LearningRateConfig = config.learning_rates
    start = config.rate.start
    after = (progress - start) / max(1.0 - start, 1e-9)
    return {
        "offsets": log_linear(rates.offset, rates.offset_last, progress) * TYPICAL_EXTENT,
        "mask_logits": log_linear(rates.mask, rates.mask_last, progress) * TYPICAL_EXTENT,
        "feature": rates.feature,
        "log_scaling": rates.log_scaling,
        "opacity": log_linear(rates.opacity_head, rates.opacity_head_last, progress),
        "covariance": rates.covariance_head,
        "color": log_linear(rates.color_head, rates.color_head_last, progress),
        "hash_grid": log_linear(rates.hash_grid, rates.hash_grid_last, progress),
        "context": log_linear(rates.context, rates.context_last, after),
        "channel": log_linear(rates.channel, rates.channel_last, progress),
    }
