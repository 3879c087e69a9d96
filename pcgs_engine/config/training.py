"""Settings of one training run.

Moments of the schedule are fractions of `iterations`, so that short runs keep the shape of the
paper's 30 000 iterations (facts §2.4).
"""

from dataclasses import dataclass, field

from ..errors import ConfigError
from .parse import check_range

__all__ = [
    "AnchorGrowthConfig",
    "LearningRateConfig",
    "PruningConfig",
    "RateConfig",
    "TrainingConfig",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningRateConfig:
    """Adam learning rates, first -> last, log-linear over the run. Source: facts §1.4."""

    offset: float = 0.01
    """Multiplied by the extent usual for scenes, see training/schedule.py."""
    offset_last: float = 1e-4
    """Multiplied by the extent usual for scenes, see training/schedule.py."""
    mask: float = 0.01
    """Multiplied by the extent usual for scenes, see training/schedule.py."""
    mask_last: float = 1e-4
    """Multiplied likewise; how hard masks prune. Source: facts §3.1 (T&T)."""
    feature: float = 0.0075
    log_scaling: float = 0.007
    opacity_head: float = 0.002
    opacity_head_last: float = 2e-5
    covariance_head: float = 0.004
    color_head: float = 0.008
    color_head_last: float = 5e-5
    harmonics: float = 1.0
    """Part of the colour head's rate at which the explicit head's harmonics above degree 0 learn:
    fewer reflections are learned by heart (3DGS: 1 / 20)."""
    hash_grid: float = 0.005
    hash_grid_last: float = 1e-5
    context: float = 0.005
    """Constant until the rate term starts, then decays."""
    context_last: float = 1e-5
    channel: float = 0.005
    channel_last: float = 5e-4

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ConfigError: a rate is not in (0, 1].
        """
        for name in self.__slots__:
            check_range(self, name, 0.0, 1.0, open_low=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorGrowthConfig:
    """Growing and pruning of anchors. Source: facts §1.3, iterations as fractions of 30 000."""

    statistics_start: float = 0.0167
    """500 / 30 000."""
    start: float = 0.0533
    """1 600 / 30 000."""
    pause_start: float = 0.1
    """3 000 / 30 000: no growth while the model first meets quantization noise."""
    pause_end: float = 0.1333
    """4 000 / 30 000."""
    stop: float = 0.5
    """15 000 / 30 000."""
    interval: int = 100
    """Iterations between adjustments."""
    gradient_threshold: float = 0.0002
    """Mean NDC gradient norm above which an offset grows; doubles at each finer cell size."""
    depth: int = 3
    """Number of cell sizes tried."""
    init_factor: int = 16
    """Coarsest growth cell in voxels; divided by 4 at each finer cell size."""
    spread: float = 0.0
    """Width of the cube, in sizes of a new anchor, that its Gaussians start in; published: one
    spot for all."""
    new_gaussians: int = 0
    """Gaussians of a new anchor, chosen at random among its K; 0 = all, as published."""
    success_fraction: float = 0.8
    """An anchor is judged once seen this fraction of `interval` (offsets: half of that)."""
    min_opacity: float = 0.005
    """Anchors whose mean accumulated opacity is lower are pruned."""
    max_anchors: int = 1_000_000
    """Growth stops at this count: an exact budget for small machines."""

    def __post_init__(self) -> None:
        """Check ranges and order.

        Raises:
            ConfigError: a value is out of range or the phases are out of order.
        """
        phases = (self.statistics_start, self.start, self.pause_start, self.pause_end, self.stop)
        if any(a > b for a, b in zip((0.0, *phases), (*phases, 1.0), strict=True)):
            raise ConfigError(f"growth phases are {phases}, wanted rising fractions in [0, 1]")
        check_range(self, "interval", 1, 10_000)
        check_range(self, "gradient_threshold", 0.0, 1.0, open_low=True)
        check_range(self, "depth", 1, 4)
        check_range(self, "init_factor", 1, 1024)
        check_range(self, "spread", 0.0, 10.0)
        check_range(self, "new_gaussians", 0, 64)
        check_range(self, "success_fraction", 0.0, 1.0)
        check_range(self, "min_opacity", 0.0, 1.0)
        check_range(self, "max_anchors", 1, 1 << 26)


@dataclass(frozen=True, slots=True, kw_only=True)
class PruningConfig:
    """Pruning of Gaussians by their presence in the training views (docs/design.md)."""

    moments: tuple[float, ...] = ()
    """Progress at which Gaussians are judged, rising; none: learned masks alone prune."""
    first_error: float = 0.1
    """What those that leave level 1 may change pictures by, as a part of the mean squared error
    so far; levels between follow geometrically."""
    error: float = 0.03
    """The same for the last level, at most `first_error`."""

    def __post_init__(self) -> None:
        """Check ranges and order.

        Raises:
            ConfigError: a value is out of range or moments do not rise.
        """
        inside = all(0.0 < moment < 1.0 for moment in self.moments)
        if not inside or list(self.moments) != sorted(set(self.moments)):
            raise ConfigError(f"moments are {self.moments}, wanted rising fractions in (0, 1)")
        check_range(self, "first_error", 0.0, 1.0, open_low=True)
        check_range(self, "error", 0.0, self.first_error, open_low=True)

    def level_errors(self, levels: int) -> tuple[float, ...]:
        """Return the part for every level, falling; that of the last one where there is one."""
        ratio = (self.error / self.first_error) ** (1 / max(levels - 1, 1))
        return tuple(self.error / ratio**s for s in range(levels - 1, -1, -1))


@dataclass(frozen=True, slots=True, kw_only=True)
class RateConfig:
    """Rate term and quantization schedule. Source: facts §2.4, §3.1, §3.6."""

    weights: tuple[float, ...] = (4e-3, 2e-3, 0.5e-3)
    """λ per level, falling: what a bit per scalar costs at this level."""
    falling_draws: bool = False
    """Draw earlier levels more often, three levels 3 : 2 : 1; off: all alike, as in the paper."""
    noise_start: float = 0.1
    """3 000 / 30 000: uniform noise of the base steps from here on."""
    start: float = 0.3333
    """10 000 / 30 000: learned steps and the rate term from here on."""
    rounding_start: float = 0.7
    """Values are rounded, gradients straight through, instead of noisy from here on: the head
    learns from what decoders will see (docs/experiments.md)."""
    interval: int = 1
    """Iterations between two with the rate term, which then weighs as much more."""
    initial_mask_logit: float = 1.0
    """Mask logit of new anchors; a Gaussian is dropped below -4.6. Source: facts §1.1. Short runs
    start near the threshold, see docs/experiments.md."""
    initial_mask_increment: float = 1.0
    """Logit whose softplus each later level adds at the start. Source: facts §1.1."""
    sample_fraction: float = 0.05
    """Anchors whose bits are estimated per iteration."""
    progressive_masks: bool = True
    """Off: one mask for all levels (ablation)."""
    progressive_steps: bool = True
    """Off: all levels share one learned step, nothing is refined (ablation)."""
    trinomial: bool = True
    """Off: refinement trits are priced by the mixture instead (ablation)."""

    @property
    def level_shares(self) -> tuple[float, ...]:
        """Probability of each level to be drawn in an iteration; sums to 1."""
        levels = len(self.weights)
        odds = range(levels, 0, -1) if self.falling_draws else [1] * levels
        return tuple(value / sum(odds) for value in odds)

    @property
    def initial_mask_logits(self) -> tuple[float, ...]:
        """Logits of a new Gaussian, one per level."""
        return (self.initial_mask_logit, *(self.initial_mask_increment,) * (len(self.weights) - 1))

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ConfigError: weights are not falling positive numbers, or a fraction is out of range.
        """
        ordered = all(a >= b for a, b in zip(self.weights, self.weights[1:], strict=False))
        if not self.weights or not ordered or min(self.weights) < 0:
            raise ConfigError(f"rate weights are {self.weights}, wanted falling values >= 0")
        check_range(self, "noise_start", 0.0, 1.0)
        check_range(self, "start", self.noise_start, 1.0)
        check_range(self, "rounding_start", self.start, 1.0)
        check_range(self, "interval", 1, 100)
        check_range(self, "initial_mask_logit", -4.5, 20.0)
        check_range(self, "initial_mask_increment", -20.0, 20.0)
        check_range(self, "sample_fraction", 0.0, 1.0, open_low=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """One training run."""

    iterations: int = 30_000
    max_size: int = 1600
    """Longer image side in pixels; larger images are shrunk. Source: facts §3.9."""
    first_scale: float = 1.0
    """Images start at this part of their size: gradients of large shapes cost a quarter there."""
    full_size_from: float = 0.0
    """Progress from which images have their full size."""
    voxel_size: float = 0.0
    """Lattice pitch in world units; 0 = `voxel_fraction` of the scene extent."""
    voxel_fraction: float = 2.5e-4
    """Pitch over extent where `voxel_size` is 0: 0.001 at the usual extent of 4."""
    max_points: int = 200_000
    """Sparse points beyond this are thinned at random."""
    ssim_weight: float = 0.2
    """Share of 1 - SSIM in the image loss. Source: facts §1.4."""
    volume_weight: float = 0.01
    """Weight of the mean product of Gaussian scales. Source: facts §1.4."""
    seed: int = 0
    checkpoint_seconds: float = 30.0
    """Time between checkpoints; a crash loses at most this plus one iteration."""
    eval_every: float = 0.1
    """Held-out PSNR, preview image and preview splats every this fraction of the run."""
    learning_rates: LearningRateConfig = field(default_factory=LearningRateConfig)
    growth: AnchorGrowthConfig = field(default_factory=AnchorGrowthConfig)
    pruning: PruningConfig = field(default_factory=PruningConfig)
    rate: RateConfig = field(default_factory=RateConfig)
    all_levels_from: float = 1.0
    """Progress from which each iteration draws its photograph at all levels instead of one drawn
    at random (docs/experiments.md); 1 = never."""
    averaging_start: float = 0.8
    """The model is an exponential moving average of the weights from here on, not before growth
    and pruning stop; 1 = the last weights (docs/experiments.md)."""
    averaging_span: float = 1 / 15
    """Time constant of that average, as a part of the run."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ConfigError: a value is out of range.
        """
        check_range(self, "iterations", 1, 10_000_000)
        check_range(self, "max_size", 16, 16384)
        check_range(self, "first_scale", 0.1, 1.0)
        check_range(self, "full_size_from", 0.0, 1.0)
        check_range(self, "voxel_size", 0.0, 1e6)
        check_range(self, "voxel_fraction", 0.0, 0.1, open_low=True)
        check_range(self, "max_points", 100, 50_000_000)
        check_range(self, "ssim_weight", 0.0, 1.0)
        check_range(self, "volume_weight", 0.0, 1e3)
        check_range(self, "seed", 0, 2**63 - 1)
        check_range(self, "checkpoint_seconds", 0.0, 3600.0, open_low=True)
        check_range(self, "eval_every", 0.001, 1.0)
        last_change = max(self.growth.stop, *self.pruning.moments, 0.0)
        check_range(self, "all_levels_from", 0.0, 1.0)
        check_range(self, "averaging_start", last_change, 1.0)
        check_range(self, "averaging_span", 0.0, 1.0, open_low=True)
