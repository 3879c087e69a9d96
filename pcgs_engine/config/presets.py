"""Named presets: model sizes and schedules for a quick look, everyday work and full quality."""

import dataclasses
import enum
from dataclasses import dataclass

from ..errors import ConfigError
from .model import ContextConfig, HashGridConfig, Head, ModelConfig
from .training import (
    AnchorGrowthConfig,
    LearningRateConfig,
    PruningConfig,
    RateConfig,
    TrainingConfig,
)

__all__ = ["Preset", "RunConfig", "preset_config", "with_levels"]


class Preset(enum.Enum):
    """Choices of `--preset`."""

    PREVIEW = "preview"
    """Minutes on two CPU cores."""
    STANDARD = "standard"
    """A GPU for a quarter of an hour, or a CPU over night."""
    HIGH = "high"
    """The paper's sizes and length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """Everything `train` needs beside the scene; saved as `config.json` in the run folder."""

    model: ModelConfig
    training: TrainingConfig

    def __post_init__(self) -> None:
        """Check that both halves agree.

        Raises:
            ConfigError: the number of rate weights is not the number of levels.
        """
        weights, levels = len(self.training.rate.weights), self.model.num_levels
        if weights != levels:
            raise ConfigError(f"{weights} rate weights for {levels} levels, wanted one per level")


def preset_config(preset: Preset, *, head: Head = Head.EXPLICIT) -> RunConfig:
    """Return the settings behind `--preset`."""
    if preset is Preset.HIGH:
        return RunConfig(model=ModelConfig(head=head), training=TrainingConfig())
    if preset is Preset.STANDARD:
        return RunConfig(
            model=ModelConfig(head=head), training=TrainingConfig(iterations=15_000, max_size=1024)
        )
    # Sizes and steps found by experiment: docs/experiments.md.
    return RunConfig(
        model=ModelConfig(
            head=head,
            feature_dim=30,
            num_offsets=6,
            feature_step=0.5,
            scaling_step=4.0,
            head_hidden=32,
            sh_degree=3,
            hash_grid=HashGridConfig(
                resolutions_3d=(18, 28, 44, 68, 108, 168),
                log2_table_3d=11,
                resolutions_2d=(66, 130, 258),
                log2_table_2d=12,
            ),
            context=ContextConfig(
                hash_hidden=48,
                step_hidden=24,
                offset_hidden=48,
                channel_hidden=24,
                feature_trit_hidden=24,
            ),
        ),
        training=TrainingConfig(
            iterations=5000,
            max_size=320,
            learning_rates=LearningRateConfig(
                feature=0.02, log_scaling=0.01, harmonics=0.03, mask_last=0.002
            ),
            growth=AnchorGrowthConfig(spread=1.0, new_gaussians=3, max_anchors=60_000),
            pruning=PruningConfig(moments=(0.53, 0.62, 0.7), first_error=0.16, error=0.022),
            all_levels_from=0.3333,
            rate=RateConfig(
                weights=(10e-3, 3.7e-3, 1.8e-3),
                noise_start=0.3333,
                initial_mask_increment=-3.5,
            ),
        ),
    )


def with_levels(config: RunConfig, num_levels: int) -> RunConfig:
    """Return `config` for another number of levels; λ falls geometrically between its ends."""
    if num_levels == config.model.num_levels:
        return config
    first, last = config.training.rate.weights[0], config.training.rate.weights[-1]
    ratio = (last / first) ** (1 / max(num_levels - 1, 1))
    weights = tuple(first * ratio**s for s in range(num_levels)) if num_levels > 1 else (last,)
    rate = dataclasses.replace(config.training.rate, weights=weights)
    return RunConfig(
        model=dataclasses.replace(config.model, num_levels=num_levels),
        training=dataclasses.replace(config.training, rate=rate),
    )
