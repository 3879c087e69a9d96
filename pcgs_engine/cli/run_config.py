"""Preset, config file, options and a run to resume in; one RunConfig out.

Later ones win: preset (or the settings of the run to resume), `--config`, single options.
"""

import argparse
import dataclasses
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..config import (
    Head,
    Preset,
    RunConfig,
    config_from_dict,
    config_to_dict,
    preset_config,
    with_levels,
)
from ..errors import ConfigError

__all__ = ["BaseConfig", "base_config", "overridden"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseConfig:
    """Where the settings start from."""

    config: RunConfig
    background: tuple[float, float, float] = (0.0, 0.0, 0.0)


def base_config(preset: Preset | None, resumed: Path | None) -> BaseConfig:
    """Return the settings of the run to resume where it has some, else the preset's.

    Raises:
        CheckpointError: the run's config.json cannot be read.
    """
    # Delayed: the run folder belongs to the training half.
    from ..training.run_info import CONFIG_NAME, load_run_info

    if resumed is not None and preset is None and (resumed / CONFIG_NAME).is_file():
        info = load_run_info(resumed)
        r, g, b = info.background
        return BaseConfig(config=info.config, background=(r, g, b))
    return BaseConfig(config=preset_config(preset or Preset.PREVIEW))


def overridden(base: BaseConfig, args: argparse.Namespace) -> RunConfig:
    """Lay `--config` and the single options over `base`.

    Raises:
        ConfigError: an unknown key, a wrong type, a value out of range, an unreadable file.
    """
    config = base.config
    if args.config is not None:
        config = _with_file(config, args.config)
    if args.levels is not None:
        config = with_levels(config, args.levels)
    model, training = config.model, config.training
    if args.head is not None:
        model = dataclasses.replace(model, head=Head(args.head))
    chosen = {name: getattr(args, name) for name in ("iterations", "max_size", "seed")}
    given = {name: value for name, value in chosen.items() if value is not None}
    return RunConfig(model=model, training=dataclasses.replace(training, **given))


def _with_file(config: RunConfig, path: Path) -> RunConfig:
    data = _read_tables(path)
    levels = _table(data, "model").get("num_levels")
    has_weights = "weights" in _table(_table(data, "training"), "rate")
    if type(levels) is int and levels >= 1 and not has_weights:
        config = with_levels(config, levels)
    merged = _merge(config_to_dict(config), data)
    return config_from_dict(RunConfig, merged, place=f"{path}: ")


def _read_tables(path: Path) -> Mapping[str, object]:
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"{path}: cannot be read ({reason}); check --config") from error
    except (ValueError, RecursionError) as error:  # what tomllib, json and UTF-8 decoding raise
        raise ConfigError(f"{path}: not TOML or JSON ({error}); check --config") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: found no table, wanted tables model and training")
    return data


def _table(data: Mapping[str, object], name: str) -> Mapping[str, object]:
    part = data.get(name, {})
    return part if isinstance(part, Mapping) else {}


def _merge(base: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    """Return `base` with the values of `over`; tables are merged, everything else replaced."""
    merged = dict(base)
    for name, value in over.items():
        old = merged.get(name)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[name] = _merge(old, value) if both else value  # type: ignore[arg-type]
    return merged
