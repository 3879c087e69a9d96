"""SIGKILL in the middle of a training process: a resumed run ends where an unbroken one ends."""

import json
import subprocess
import sys
import time
from pathlib import Path

import torch
from tiny_training import tiny_config

from pcgs_engine.config import config_to_dict
from pcgs_engine.sample import sample_path
from pcgs_engine.training.checkpoint import load_trained

CHECKPOINT_SECONDS = 0.2
PATIENCE_SECONDS = 120.0


def messages_of(run: Path) -> list[dict[str, object]]:
    log = run / "log.jsonl"
    lines = log.read_text().splitlines() if log.is_file() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def wait_for_checkpoints(run: Path, process: subprocess.Popen[bytes], count: int) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while sum(m["type"] == "saved" for m in messages_of(run)) < count:
        assert process.poll() is None, "the training ended before it could be killed"
        assert time.monotonic() < end, "no checkpoint was written"
        time.sleep(0.02)


def test_training_killed_and_resumed_ends_with_the_tensors_of_an_unbroken_run(tiny_run, tmp_path):
    run, config = tmp_path / "run", tmp_path / "config.json"
    settings = config_to_dict(tiny_config(checkpoint_seconds=CHECKPOINT_SECONDS))
    config.write_text(json.dumps(settings))
    command = [
        sys.executable, "-m", "pcgs_engine", "train", str(sample_path()), "--out", str(run),
        "--config", str(config), "--device", "cpu", "--threads", "1", "--progress", "none",
    ]  # fmt: skip
    process = subprocess.Popen(command)
    try:
        wait_for_checkpoints(run, process, 3)
    finally:
        process.kill()
        process.wait()
    subprocess.run([*command, "--resume"], check=True, timeout=PATIENCE_SECONDS)
    resumed, unbroken = load_trained(run), tiny_run.model
    assert torch.equal(resumed.anchors.lattice, unbroken.anchors.lattice)
    assert torch.equal(resumed.anchors.feature, unbroken.anchors.feature)
    assert torch.equal(resumed.head.color_out.weight, unbroken.head.color_out.weight)
