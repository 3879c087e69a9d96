"""Checkpoints of a run: one safetensors file, written atomically, resumable to the same result.

In: a trainer, its clock and view order. Out: `checkpoint.safetensors` in the run folder. The
settings are in `config.json` beside it. safetensors holds plain numbers, never code.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ..atomic_file import write_atomically
from ..errors import CheckpointError
from ..model.anchors import ANCHOR_PARAMETERS, Anchors
from ..model.attribute_head import AttributeHead
from ..model.context_network import ContextNetwork
from ..model.hash_grid import HashGrid
from ..model.trained_model import TrainedModel
from .growth import STATISTIC_FIELDS
from .optimizer import AVERAGE, network_groups
from .run_info import CONFIG_NAME, load_run_info
from .schedule import Clock
from .trainer import Trainer

__all__ = ["CHECKPOINT_NAME", "load_checkpoint", "load_trained", "save_checkpoint"]

CHECKPOINT_NAME = "checkpoint.safetensors"
CHECKPOINT_VERSION = 1


def save_checkpoint(run: Path, trainer: Trainer, clock: Clock, order: Tensor) -> Path:
    """Write the whole state of a run.

    Args:
        run: run folder.
        trainer: state of model and optimizer.
        clock: where the schedule stands.
        order: views still to be drawn in this round.

    Raises:
        OutputError: the folder or disk does not take the file.
    """
    tensors = _trainer_tensors(trainer)
    tensors["order"] = order
    tensors["generator"] = trainer.generator.get_state()
    tensors["order_generator"] = trainer.order_generator.get_state()
    tensors["camera_centres"] = torch.from_numpy(trainer.camera_centres)
    plain = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    state = {
        "version": CHECKPOINT_VERSION,
        "iteration": clock.iteration,
        "progress": clock.progress,
        "elapsed": clock.elapsed,
        "work": clock.work,
        "box_is_final": trainer.box_is_final,
        "voxel_size": trainer.anchors.voxel_size,
        "distance_unit": trainer.head.distance_unit,
    }
    path = run / CHECKPOINT_NAME
    write_atomically(path, save(plain, {"state": json.dumps(state)}))
    return path


def load_checkpoint(run: Path, trainer: Trainer, clock: Clock) -> Tensor:
    """Restore trainer and clock from `run`; returns the views still to be drawn.

    Raises:
        CheckpointError: there is no checkpoint, or it is damaged or of other settings.
    """
    tensors, state = _read(run)
    try:
        trainer.anchors.lattice = tensors["anchors.lattice"].to(trainer.device)
        for name in ANCHOR_PARAMETERS:
            value = tensors[f"anchors.{name}"].to(trainer.device)
            trainer.optimizer.set_anchor_parameter(name, value)
        for name, module in _modules(trainer).items():
            module.load_state_dict(_part(tensors, name))
        trainer.optimizer.load_state_tensors(_part(tensors, "optimizer"))
        for name in STATISTIC_FIELDS:
            value = tensors[f"statistics.{name}"].to(trainer.device)
            setattr(trainer.statistics, name, value)
        _restore_noise(trainer.generator, tensors["generator"])
        trainer.order_generator.set_state(tensors["order_generator"])
        order = tensors["order"]
        trainer.box_is_final = bool(state["box_is_final"])
        clock.iteration = int(state["iteration"])
        clock.progress = float(state["progress"])
        clock.elapsed = float(state["elapsed"])
        clock.work = float(state.get("work", state["iteration"]))  # absent before 1.1
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(
            f"{run / CHECKPOINT_NAME}: does not fit {CONFIG_NAME} ({_first_line(error)}); "
            "train again without --resume"
        ) from error
    trainer.anchors_changed()
    return order


def load_trained(run: Path) -> TrainedModel:
    """Load the model of a run on the CPU, for encoding: its averages where it has come to them.

    Raises:
        CheckpointError: the run has no usable checkpoint.
    """
    config = load_run_info(run).config
    tensors, state = _read(run)
    try:
        anchors = Anchors(
            lattice=tensors["anchors.lattice"],
            voxel_size=float(state["voxel_size"]),
            **{name: tensors[f"anchors.{name}"] for name in ANCHOR_PARAMETERS},
        )
        head = AttributeHead(config.model, distance_unit=float(state["distance_unit"]))
        grid = HashGrid(
            config.model.hash_grid,
            torch.zeros(3),
            torch.ones(3),
            pool=None,
            generator=torch.Generator(),
        )
        context = ContextNetwork(config.model, voxel_size=anchors.voxel_size)
        modules = {"head": head, "hash_grid": grid, "context": context}
        for name, module in modules.items():
            module.load_state_dict(_part(tensors, name))
        groups = {name: [getattr(anchors, name)] for name in ANCHOR_PARAMETERS}
        _take_averages(groups | network_groups(head, grid, context), tensors)
        centres = tensors["camera_centres"].numpy().astype(np.float32)
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(
            f"{run / CHECKPOINT_NAME}: does not fit {CONFIG_NAME} ({_first_line(error)}); "
            "train again"
        ) from error
    return TrainedModel(
        config=config,
        anchors=anchors,
        head=head,
        hash_grid=grid,
        context=context,
        camera_centres=centres,
    )


def _modules(trainer: Trainer) -> dict[str, nn.Module]:
    return {"head": trainer.head, "hash_grid": trainer.hash_grid, "context": trainer.context}


@torch.no_grad()
def _take_averages(groups: Mapping[str, list[Tensor]], tensors: Mapping[str, Tensor]) -> None:
    for group, parameters in groups.items():
        for index, parameter in enumerate(parameters):
            average = tensors.get(f"optimizer.{group}.{index}.{AVERAGE}")
            if average is not None:
                parameter.copy_(average)


def _restore_noise(generator: torch.Generator, state: Tensor) -> None:
    # States of other kinds of device do not fit; a run moved to one goes on with new noise.
    if len(state) == len(generator.get_state()):
        generator.set_state(state)


def _trainer_tensors(trainer: Trainer) -> dict[str, Tensor]:
    tensors = {"anchors.lattice": trainer.anchors.lattice}
    tensors |= {f"anchors.{n}": getattr(trainer.anchors, n) for n in ANCHOR_PARAMETERS}
    for prefix, module in _modules(trainer).items():
        tensors |= {f"{prefix}.{name}": t for name, t in module.state_dict().items()}
    state = trainer.optimizer.state_tensors()
    tensors |= {f"optimizer.{name}": t for name, t in state.items()}
    tensors |= {f"statistics.{n}": getattr(trainer.statistics, n) for n in STATISTIC_FIELDS}
    return tensors


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    start = prefix + "."
    return {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}


def _read(run: Path) -> tuple[dict[str, Tensor], dict[str, float]]:
    path = run / CHECKPOINT_NAME
    if not path.is_file():
        raise CheckpointError(
            f"{run}: no {CHECKPOINT_NAME}; wanted the folder given to 'pcgs train --out'"
        )
    try:
        with path.open("rb"):  # safetensors calls every reason a missing file
            pass
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CheckpointError(
            f"{path}: cannot be read ({reason}); check its permissions"
        ) from error
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads((file.metadata() or {})["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise CheckpointError(
            f"{path}: not a readable checkpoint ({_first_line(error)}); train again"
        ) from error
    if not isinstance(state, dict) or state.get("version") != CHECKPOINT_VERSION:
        raise CheckpointError(
            f"{path}: not a checkpoint of version {CHECKPOINT_VERSION}; train again"
        )
    return tensors, state


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
