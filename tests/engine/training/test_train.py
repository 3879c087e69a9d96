"""Training on the embedded sample at a tiny size: learns, cancels, resumes to the same result."""

import json
import math
import shutil
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny_training import tiny_config, train_tiny

from pcgs_engine.errors import CancelledError, CheckpointError, DivergedError
from pcgs_engine.levels import split_levels
from pcgs_engine.model.anchors import ANCHOR_PARAMETERS
from pcgs_engine.protocol import Evaluated, Preview, Saved
from pcgs_engine.render.cuda_backend import CudaRasterizer
from pcgs_engine.training.checkpoint import CHECKPOINT_NAME, load_trained
from pcgs_engine.training.optimizer import ModelOptimizer
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


@pytest.mark.parametrize(
    ("seconds", "expected"), [(math.inf, [60]), (30.0, [1, 31, 60]), (0.5, [1, 2, 22, 42, 60])]
)
def test_previews_come_by_the_clock_and_take_a_twentieth_of_it_at_most(
    tmp_path, monkeypatch, seconds, expected
):
    ticks = count()  # an iteration takes a second, and so does a preview
    clock = SimpleNamespace(monotonic=lambda: float(next(ticks)))
    monkeypatch.setattr("pcgs_engine.training.train.time", clock)
    config = tiny_config(eval_every=1.0)
    run = train_tiny(tmp_path, config=config, preview_seconds=seconds)
    assert [m.iteration for m in run.messages if isinstance(m, Preview)] == expected


def test_load_trained_returns_the_trained_tensors(tiny_run):
    model = tiny_run.model
    loaded = load_trained(tiny_run.folder)
    assert torch.equal(loaded.anchors.lattice, model.anchors.lattice)
    assert torch.equal(loaded.anchors.feature, model.anchors.feature)
    assert torch.equal(loaded.head.color_out.weight, model.head.color_out.weight)


def test_load_trained_returns_averages_instead_of_the_last_weights(tiny_run):
    stored = load_file(tiny_run.folder / CHECKPOINT_NAME)
    model = load_trained(tiny_run.folder)
    assert not torch.equal(model.anchors.feature, stored["anchors.feature"])
    assert torch.equal(model.anchors.feature, stored["optimizer.feature.0.average"])
    assert torch.equal(model.context.step_out.weight, tiny_run.model.context.step_out.weight)
    assert not torch.equal(model.context.step_out.weight, stored["context.step_out.weight"])


def test_training_without_averaging_returns_the_last_weights(tmp_path):
    run = train_tiny(tmp_path, config=tiny_config(averaging_start=1.0))
    stored = load_file(tmp_path / CHECKPOINT_NAME)
    assert torch.equal(run.model.anchors.feature, stored["anchors.feature"])
    assert not any(name.endswith(".average") for name in stored)


@pytest.mark.parametrize("last", [25, 55])  # before the weights are averaged, and while they are
def test_resume_after_cancel_ends_with_identical_tensors(tiny_run, tmp_path, last):
    expected, polls = tiny_run.model, count()
    with pytest.raises(CancelledError, match="--resume"):
        train_tiny(tmp_path, config=tiny_config(), cancelled=lambda: next(polls) == last)
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


def test_resume_of_a_checkpoint_without_its_counters_raises_checkpoint_error(tiny_run, tmp_path):
    shutil.copy(tiny_run.folder / "config.json", tmp_path)
    tensors = load_file(tiny_run.folder / CHECKPOINT_NAME)
    save_file(tensors, tmp_path / CHECKPOINT_NAME, {"state": json.dumps({"version": 1})})
    with pytest.raises(CheckpointError, match=r"does not fit config\.json .*box_is_final"):
        train_tiny(tmp_path, config=tiny_config(), resume=True)


def test_resume_of_a_run_from_another_kind_of_device_goes_on(tiny_run, tmp_path):
    shutil.copy(tiny_run.folder / "config.json", tmp_path)
    path = tiny_run.folder / CHECKPOINT_NAME
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(path) | {"generator": torch.zeros(16, dtype=torch.uint8)}  # as on a GPU
    save_file(tensors, tmp_path / CHECKPOINT_NAME, metadata)
    model = train_tiny(tmp_path, config=tiny_config(), resume=True).model
    assert torch.equal(model.anchors.feature, tiny_run.model.anchors.feature)


@pytest.mark.parametrize("name", [CHECKPOINT_NAME, "config.json"])
def test_load_trained_without_permission_does_not_advise_to_train_again(
    tiny_run, tmp_path, monkeypatch, name
):
    for part in (CHECKPOINT_NAME, "config.json"):
        shutil.copy(tiny_run.folder / part, tmp_path)
    real = Path.open

    def refuse(path, *args, **options):  # patched: no permission stops root
        if path.name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args, **options)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CheckpointError, match=r"cannot be read \(permission denied\); check its"):
        load_trained(tmp_path)


def test_load_trained_with_settings_nested_too_deeply_raises_checkpoint_error(tmp_path):
    (tmp_path / "config.json").write_text("[" * 100_000)
    with pytest.raises(CheckpointError, match="not a run of this version"):
        load_trained(tmp_path)


def test_optimizer_state_is_restored_on_the_device_of_its_parameters():
    # "meta" stands for a GPU: fused Adam refuses state that lies elsewhere, step counts too.
    weight = torch.nn.Parameter(torch.zeros(2, device="meta"))
    anchors = SimpleNamespace(**{name: torch.zeros(3, device="meta") for name in ANCHOR_PARAMETERS})
    optimizer = ModelOptimizer(anchors, {"head": [weight]})
    stored = {name: torch.zeros(2) for name in ("head.0.exp_avg", "head.0.exp_avg_sq")}
    optimizer.load_state_tensors(stored | {"head.0.step": torch.tensor(3.0)})
    state = optimizer.adam.state[weight]
    assert set(state) == {"step", "exp_avg", "exp_avg_sq"}
    assert {tensor.device.type for tensor in state.values()} == {"meta"}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_train_on_gpu_learns_resumes_and_can_be_split(tmp_path):
    pytest.importorskip("gsplat", reason="gsplat is not installed")
    rasterizer, polls = CudaRasterizer(), count()
    with pytest.raises(CancelledError):
        train_tiny(
            tmp_path,
            config=tiny_config(),
            cancelled=lambda: next(polls) == 40,
            rasterizer=rasterizer,
        )
    run = train_tiny(tmp_path, config=tiny_config(), resume=True, rasterizer=rasterizer)
    assert run.model.anchors.feature.device.type == "cuda"
    psnr = [m.psnr for m in run.messages if isinstance(m, Evaluated)]
    assert psnr[-1] > 17.0
    coded = split_levels(load_trained(tmp_path))
    assert coded.config.num_levels == 3
    assert len(coded.anchors.positions) > 0
    # The same run goes on without the GPU.
    again = tiny_config()
    assert (
        train_tiny(tmp_path, config=again, resume=True).model.anchors.feature.device.type == "cpu"
    )


def test_train_with_a_loss_that_is_not_finite_stops_and_keeps_no_bad_checkpoint(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(
        "pcgs_engine.training.image_loss.ImageLoss.__call__",
        lambda self, image, target, valid=None: image.sum() * float("nan"),
    )
    with pytest.raises(DivergedError, match="--seed"):
        train_tiny(tmp_path, config=tiny_config())
    assert not (tmp_path / CHECKPOINT_NAME).exists()
