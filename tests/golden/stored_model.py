"""A CodedModel in an `.npz` file and back: the numbers that golden files were encoded from."""

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
from synthetic_model import synthetic_model

from pcgs_engine.config import ModelConfig, config_from_dict, config_to_dict

FACTS = "facts"
"""Entry with the numbers that are no arrays, as JSON text."""


def store_model(coded, path: Path) -> None:
    """Write every array of a model, compressed."""
    facts = {
        "config": config_to_dict(coded.config),
        "voxel_size": coded.voxel_size,
        "distance_unit": coded.head.distance_unit,
        "ranks": coded.ranking.ranks,
        "mask_net": coded.mask_net is not None,
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{FACTS: np.array(json.dumps(facts))}, **arrays_of(coded))
    path.write_bytes(buffer.getvalue())


def load_model(path: Path):
    """Return the CodedModel."""
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    facts = json.loads(str(arrays.pop(FACTS)))
    config = config_from_dict(ModelConfig, facts["config"])
    # Any model of these sizes: everything in it is replaced.
    template = synthetic_model(4, config=config, ranks=facts["ranks"], mask_net=facts["mask_net"])
    coded = with_arrays(template, arrays)
    head = dataclasses.replace(coded.head, distance_unit=facts["distance_unit"])
    return dataclasses.replace(coded, voxel_size=facts["voxel_size"], head=head)


def arrays_of(value, name: str = "") -> dict[str, np.ndarray]:
    """Return all arrays inside nested dataclasses and tuples, by their path."""
    if isinstance(value, np.ndarray):
        return {name: value}
    found: dict[str, np.ndarray] = {}
    for key, inner in _parts(value):
        found |= arrays_of(inner, f"{name}.{key}" if name else key)
    return found


def with_arrays(value, arrays: dict[str, np.ndarray], name: str = ""):
    """Return `value` with every array replaced by the one of its path."""
    if isinstance(value, np.ndarray):
        return arrays[name]
    new = {
        key: with_arrays(inner, arrays, f"{name}.{key}" if name else key)
        for key, inner in _parts(value)
    }
    if isinstance(value, tuple):
        return tuple(new.values())
    return dataclasses.replace(value, **new) if new else value


def _parts(value) -> list[tuple[str, object]]:
    if isinstance(value, tuple):
        return [(str(i), inner) for i, inner in enumerate(value)]
    if not dataclasses.is_dataclass(value) or isinstance(value, ModelConfig):
        return []
    return [(f.name, getattr(value, f.name)) for f in dataclasses.fields(value)]
