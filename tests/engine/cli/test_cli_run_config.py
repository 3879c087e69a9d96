"""How preset, config file and options combine into the settings of a run."""

import argparse
import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from pcgs_engine.cli.run_config import base_config, overridden
from pcgs_engine.config import Head, Preset, preset_config
from pcgs_engine.errors import ConfigError
from pcgs_engine.training.run_info import RunInfo, save_run_info


def options(**given: object) -> argparse.Namespace:
    names = ("config", "levels", "head", "iterations", "max_size", "seed")
    return argparse.Namespace(**{name: given.get(name) for name in names})


def test_overridden_without_options_is_the_preset() -> None:
    base = base_config(Preset.STANDARD, None)
    assert overridden(base, options()) == preset_config(Preset.STANDARD)


def test_overridden_options_win_over_file_and_file_over_preset(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text("[training]\niterations = 7\nseed = 3\n[model.hash_grid]\nlog2_table_3d = 9\n")
    config = overridden(
        base_config(None, None), options(config=path, iterations=9, head=Head.NEURAL)
    )
    preview = preset_config(Preset.PREVIEW)
    assert config.training.iterations == 9
    assert config.training.seed == 3
    assert config.model.head is Head.NEURAL
    assert config.model.hash_grid.log2_table_3d == 9
    assert config.model.hash_grid.resolutions_3d == preview.model.hash_grid.resolutions_3d


def test_overridden_file_with_levels_only_adapts_the_rate_weights(tmp_path: Path) -> None:
    path = tmp_path / "my.json"
    path.write_text(json.dumps({"model": {"num_levels": 5}}))
    config = overridden(base_config(None, None), options(config=path))
    assert len(config.training.rate.weights) == 5


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.toml", "[training\n", "not TOML or JSON"),
        ("a.json", "[1]", "found no table"),
        ("a.json", "[" * 100_000, "not TOML or JSON"),
        ("a.json", '{"training": {"iteration": 5}}', "unknown key 'iteration'"),
        ("a.json", '{"training": 5}', "wanted a table"),
        ("a.toml", "[training]\nmax_size = 3\n", "max_size is 3"),
    ],
)
def test_overridden_with_bad_file_names_it(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        overridden(base_config(None, None), options(config=path))


def test_overridden_with_missing_file_is_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        overridden(base_config(None, None), options(config=tmp_path / "none.toml"))


def test_base_config_on_resume_is_that_of_the_run(tmp_path: Path) -> None:
    stored = preset_config(Preset.STANDARD)
    save_run_info(tmp_path, RunInfo(scene="/s", background=(1.0, 1.0, 1.0), config=stored))
    base = base_config(None, tmp_path)
    assert base.config == stored
    assert base.background == (1.0, 1.0, 1.0)


def test_base_config_on_resume_of_nothing_is_the_preset(tmp_path: Path) -> None:
    assert base_config(None, tmp_path / "none").config == preset_config(Preset.PREVIEW)
