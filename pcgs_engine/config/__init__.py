"""Frozen settings, one dataclass per stage, readable from JSON or TOML."""

from .model import ContextConfig, HashGridConfig, Head, ModelConfig
from .parse import check_range, config_from_dict, config_to_dict
from .presets import Preset, RunConfig, preset_config, with_levels
from .training import (
    AnchorGrowthConfig,
    LearningRateConfig,
    PruningConfig,
    RateConfig,
    TrainingConfig,
)

__all__ = [
    "AnchorGrowthConfig",
    "ContextConfig",
    "HashGridConfig",
    "Head",
    "LearningRateConfig",
    "ModelConfig",
    "Preset",
    "PruningConfig",
    "RateConfig",
    "RunConfig",
    "TrainingConfig",
    "check_range",
    "config_from_dict",
    "config_to_dict",
    "preset_config",
    "with_levels",
]
