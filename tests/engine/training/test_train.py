"""Training on the embedded sample at a tiny size: learns, cancels, resumes to the same result."""

import json
from itertools import count
from pathlib import Path

import pytest
import torch
from tiny_training import tiny_config, train_tiny

from pcgs_engine.errors import CancelledError, CheckpointError
from pcgs_engine.protocol import Evaluated, Preview, Saved
from pcgs_engine.training.checkpoint import CHECKPOINT_NAME, load_trained
from pcgs_engine.training.train import LOG_NAME


def test_train_on_the_sample_improves_held_out_psnr(tiny_run):
    psnr = [m.psnr for m in tiny_run.messages if isinstance(m, Evaluated)]
    assert len(psnr) == 2
    assert psnr[-1] > 17.0


def test_train_leaves_checkpoint_log_and_previews(tiny_run):
    run, messages = tiny_run.folder, tiny_run.messages
    previews = [m for m in messages if isinstance(m, Preview)]
    assert previews
    assert Path(previews[-1].image).stat().st_size > 0
    assert Path(previews[-1].splats).stat().st_size > 0
    assert any(isinstance(m, Saved) for m in messages)
    lines = (run / LOG_NAME).read_text().splitlines()
    assert len(lines) == len(messages)
    assert {json.loads(line)["type"] for line in lines} >= {"progress", "saved", "evaluated"}


def test_load_trained_returns_the_trained_tensors(tiny_run):
    model = tiny_run.model
    loaded = load_trained(tiny_run.folder)
    assert torch.equal(loaded.anchors.lattice, model.anchors.lattice)
    assert torch.equal(loaded.anchors.feature, model.anchors.feature)
    assert torch.equal(loaded.head.color_out.weight, model.head.color_out.weight)


def test_resume_after_cancel_ends_with_identical_tensors(tiny_run, tmp_path):
    expected, polls = tiny_run.model, count()
    with pytest.raises(CancelledError, match="--resume"):
        train_tiny(tmp_path, config=tiny_config(), cancelled=lambda: next(polls) == 25)
    model = train_tiny(tmp_path, config=tiny_config(), resume=True).model
    assert torch.equal(model.anchors.lattice, expected.anchors.lattice)
    for name in ("feature", "log_scaling", "offsets", "mask_logits"):
        assert torch.equal(getattr(model.anchors, name), getattr(expected.anchors, name)), name
    assert torch.equal(model.hash_grid.table, expected.hash_grid.table)


def test_resume_with_other_settings_raises_checkpoint_error(tiny_run):
    with pytest.raises(CheckpointError, match="other settings"):
        train_tiny(tiny_run.folder, config=tiny_config(ssim_weight=0.3), resume=True)


def test_resume_of_a_truncated_checkpoint_raises_checkpoint_error(tiny_run, tmp_path):
    run = tiny_run.folder
    for name in (CHECKPOINT_NAME, "config.json"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    data = (tmp_path / CHECKPOINT_NAME).read_bytes()
    (tmp_path / CHECKPOINT_NAME).write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        train_tiny(tmp_path, config=tiny_config(), resume=True)


def test_load_trained_without_a_run_names_the_missing_file(tmp_path):
    with pytest.raises(CheckpointError, match=r"config\.json"):
        load_trained(tmp_path)
