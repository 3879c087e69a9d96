"""Training on the embedded sample at a tiny size: learns, cancels, resumes to the same result."""

import json
from pathlib import Path

import pytest
import torch

from pcgs_engine.config import RunConfig, config_from_dict, config_to_dict, preset_config
from pcgs_engine.config.presets import Preset
from pcgs_engine.errors import CancelledError, CheckpointError
from pcgs_engine.protocol import Evaluated, Message, Preview, Saved
from pcgs_engine.render.cpu_backend import CpuRasterizer
from pcgs_engine.sample import sample_path
from pcgs_engine.scene.load_scene import load_scene
from pcgs_engine.training.checkpoint import CHECKPOINT_NAME, load_trained
from pcgs_engine.training.train import LOG_NAME, train

ITERATIONS = 60


def tiny_config(**training: object) -> RunConfig:
    data = config_to_dict(preset_config(Preset.PREVIEW))
    data["training"] |= {
        "iterations": ITERATIONS,
        "max_size": 64,
        "max_points": 800,
        "eval_every": 0.5,
        "checkpoint_seconds": 3600.0,
    }
    data["training"]["growth"] |= {"interval": 8, "statistics_start": 0.0, "start": 0.05}
    data["training"] |= training
    return config_from_dict(RunConfig, data)


def run_training(run: Path, *, config: RunConfig, stop_after: int | None = None, resume=False):
    scene = load_scene(sample_path(), max_size=64)
    messages: list[Message] = []
    polls = [0]

    def cancelled() -> bool:
        polls[0] += 1
        return stop_after is not None and polls[0] > stop_after

    model = train(
        scene,
        config,
        run=run,
        rasterizer=CpuRasterizer(threads=1),
        threads=1,
        on_message=messages.append,
        cancelled=cancelled,
        resume=resume,
    )
    return model, messages


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """Return run folder, model and messages of one uninterrupted run."""
    run = tmp_path_factory.mktemp("straight")
    return run, *run_training(run, config=tiny_config())


def test_train_on_the_sample_improves_held_out_psnr(straight):
    _, _, messages = straight
    psnr = [m.psnr for m in messages if isinstance(m, Evaluated)]
    assert len(psnr) == 2
    assert psnr[-1] > 17.0


def test_train_leaves_checkpoint_log_and_previews(straight):
    run, _, messages = straight
    previews = [m for m in messages if isinstance(m, Preview)]
    assert previews
    assert Path(previews[-1].image).stat().st_size > 0
    assert Path(previews[-1].splats).stat().st_size > 0
    assert any(isinstance(m, Saved) for m in messages)
    lines = (run / LOG_NAME).read_text().splitlines()
    assert len(lines) == len(messages)
    assert {json.loads(line)["type"] for line in lines} >= {"progress", "saved", "evaluated"}


def test_load_trained_returns_the_trained_tensors(straight):
    run, model, _ = straight
    loaded = load_trained(run)
    assert torch.equal(loaded.anchors.lattice, model.anchors.lattice)
    assert torch.equal(loaded.anchors.feature, model.anchors.feature)
    assert torch.equal(loaded.head.color_out.weight, model.head.color_out.weight)


def test_resume_after_cancel_ends_with_identical_tensors(straight, tmp_path):
    _, expected, _ = straight
    with pytest.raises(CancelledError, match="--resume"):
        run_training(tmp_path, config=tiny_config(), stop_after=25)
    model, _ = run_training(tmp_path, config=tiny_config(), resume=True)
    assert torch.equal(model.anchors.lattice, expected.anchors.lattice)
    for name in ("feature", "log_scaling", "offsets", "mask_logits"):
        assert torch.equal(getattr(model.anchors, name), getattr(expected.anchors, name)), name
    assert torch.equal(model.hash_grid.table, expected.hash_grid.table)


def test_resume_with_other_settings_raises_checkpoint_error(straight):
    run, _, _ = straight
    with pytest.raises(CheckpointError, match="other settings"):
        run_training(run, config=tiny_config(ssim_weight=0.3), resume=True)


def test_resume_of_a_truncated_checkpoint_raises_checkpoint_error(straight, tmp_path):
    run, _, _ = straight
    for name in (CHECKPOINT_NAME, "config.json"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    data = (tmp_path / CHECKPOINT_NAME).read_bytes()
    (tmp_path / CHECKPOINT_NAME).write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        run_training(tmp_path, config=tiny_config(), resume=True)


def test_load_trained_without_a_run_names_the_missing_file(tmp_path):
    with pytest.raises(CheckpointError, match=r"config\.json"):
        load_trained(tmp_path)
