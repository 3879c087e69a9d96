"""A real training of the embedded sample, small enough for tests: 64 px, 60 iterations."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pcgs_engine.config import RunConfig, config_from_dict, config_to_dict, preset_config
from pcgs_engine.config.presets import Preset
from pcgs_engine.model.trained_model import TrainedModel
from pcgs_engine.protocol import Message
from pcgs_engine.render.cpu_backend import CpuRasterizer
from pcgs_engine.render.rasterizer import Rasterizer
from pcgs_engine.sample import sample_path
from pcgs_engine.scene.load_scene import load_scene
from pcgs_engine.training.train import train

TINY_SIZE = 64
TINY_ITERATIONS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyRun:
    """One finished training."""

    folder: Path
    model: TrainedModel
    messages: list[Message]


def tiny_config(**training: object) -> RunConfig:
    """Return the preview preset cut down to seconds; `training` overrides single fields."""
    data = config_to_dict(preset_config(Preset.PREVIEW))
    data["training"] |= {
        "iterations": TINY_ITERATIONS,
        "max_size": TINY_SIZE,
        "max_points": 800,
        "eval_every": 0.5,
        "checkpoint_seconds": 3600.0,
    }
    data["training"]["growth"] |= {"interval": 8, "statistics_start": 0.0, "start": 0.05}
    data["training"] |= training
    return config_from_dict(RunConfig, data)


def train_tiny(
    folder: Path,
    *,
    config: RunConfig,
    cancelled: Callable[[], bool] = lambda: False,
    resume: bool = False,
    rasterizer: Rasterizer | None = None,
    preview_seconds: float = math.inf,
) -> TinyRun:
    """Train the sample into `folder`."""
    messages: list[Message] = []
    model = train(
        load_scene(sample_path(), max_size=TINY_SIZE),
        config,
        run=folder,
        rasterizer=rasterizer or CpuRasterizer(threads=1),
        threads=1,
        on_message=messages.append,
        cancelled=cancelled,
        resume=resume,
        preview_seconds=preview_seconds,
    )
    return TinyRun(folder=folder, model=model, messages=messages)
