"""Chunks that belong to no level: model facts, cameras and hash grid, each way. FORMAT.md §4."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..bitstream import DecodeLimits, check_limit, pack_json, unpack_json
from ..config import HashGridConfig, ModelConfig, config_from_dict, config_to_dict
from ..entropy.backend import EntropyBackend
from ..entropy.bit_stream import decode_bits, encode_bits
from ..entropy.hash_features import grid_entries
from ..entropy.stream_list import StreamReader, join_streams
from ..entropy.weights import HashGridWeights
from ..errors import ConfigError, MalformedError

__all__ = [
    "ModelFacts",
    "pack_cameras",
    "pack_hash_grid",
    "pack_model",
    "unpack_cameras",
    "unpack_hash_grid",
    "unpack_model",
]


SMALLEST, LARGEST = 1e-9, 1e9
"""Bounds of lengths and steps: arithmetic on them stays finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """Contents of MODL."""

    config: ModelConfig
    voxel_size: float
    distance_unit: float


def pack_model(facts: ModelFacts, limits: DecodeLimits) -> bytes:
    """Return the JSON of MODL."""
    values: dict[str, object] = {
        "model": config_to_dict(facts.config),
        "voxel_size": facts.voxel_size,
        "distance_unit": facts.distance_unit,
    }
    return pack_json(values, limits)


def unpack_model(data: bytes, limits: DecodeLimits) -> ModelFacts:
    """Read MODL.

    Raises:
        MalformedError: a key is missing, unknown or out of range.
        LimitExceededError: too long, or the hash grid is too large.
    """
    values = unpack_json("MODL", data, limits)
    lengths = [values.get(name) for name in ("voxel_size", "distance_unit")]
    if set(values) != {"model", "voxel_size", "distance_unit"} or not all(
        type(v) is float and SMALLEST <= v <= LARGEST for v in lengths
    ):
        raise MalformedError(
            f"MODL holds {sorted(values)} with lengths {lengths}, "
            f"wanted model, and voxel_size and distance_unit of {SMALLEST}..{LARGEST}"
        )
    model = values["model"]
    if not isinstance(model, dict):
        raise MalformedError(f"MODL: model is a {type(model).__name__}, wanted an object")
    try:
        config = config_from_dict(ModelConfig, model, place="model.")
    except ConfigError as error:
        raise MalformedError(f"MODL: {error}") from error
    smallest = min(config.feature_step, config.scaling_step, config.offset_step)
    if smallest < SMALLEST:
        raise MalformedError(f"MODL: quantization step {smallest}, wanted at least {SMALLEST}")
    entries = grid_entries(config.hash_grid) * config.hash_grid.features_per_level
    check_limit("MODL: hash grid signs", entries, limits.hash_signs)
    voxel_size, unit = (float(v) for v in lengths if isinstance(v, float))
    return ModelFacts(config=config, voxel_size=voxel_size, distance_unit=unit)


def pack_cameras(centres: npt.NDArray[np.float32]) -> bytes:
    """Return `[V, 3]` centres as little-endian float32."""
    return centres.astype("<f4").tobytes()


def unpack_cameras(data: bytes, limits: DecodeLimits) -> npt.NDArray[np.float32]:
    """Read CAMC.

    Raises:
        MalformedError: not whole finite triples.
        LimitExceededError: too many.
    """
    if len(data) % 12:
        raise MalformedError(f"CAMC has {len(data)} bytes, wanted a multiple of 12")
    check_limit("CAMC: cameras", len(data) // 12, limits.cameras)
    centres = np.frombuffer(data, dtype="<f4").reshape(-1, 3).astype(np.float32)
    if not np.isfinite(centres).all():
        raise MalformedError("CAMC: a camera centre is not finite")
    return centres


def pack_hash_grid(grid: HashGridWeights, backend: EntropyBackend) -> bytes:
    """Return box and coded signs.

    Raises:
        ConfigError: the table has the wrong shape or other values than -1 and 1.
    """
    wanted = (grid_entries(grid.config), grid.config.features_per_level)
    if grid.signs.shape != wanted or not (np.abs(grid.signs) == 1).all():
        raise ConfigError(f"hash signs are of shape {grid.signs.shape}, wanted ±1 of {wanted}")
    box = np.concatenate([grid.box_min, grid.box_max]).astype("<f4")
    if box.shape != (6,) or not np.isfinite(box).all():
        raise ConfigError("hash grid box is not six finite numbers")
    bits = (grid.signs < 0).ravel()
    classes = np.zeros(len(bits), dtype=np.int64)
    return join_streams([box.tobytes(), encode_bits(bits, classes, 1, backend)])


def unpack_hash_grid(
    data: bytes, config: HashGridConfig, backend: EntropyBackend
) -> HashGridWeights:
    """Read HASH (the size was checked with MODL).

    Raises:
        MalformedError: the chunk does not hold box and signs.
    """
    reader = StreamReader(data)
    head, stream = reader.take(), reader.take()
    reader.finish()
    if len(head) != 24:
        raise MalformedError(f"HASH: box of {len(head)} bytes, wanted 24")
    box = np.frombuffer(head, dtype="<f4").astype(np.float32)
    if not np.isfinite(box).all():
        raise MalformedError("HASH: the box is not finite")
    entries = grid_entries(config)
    classes = np.zeros(entries * config.features_per_level, dtype=np.int64)
    bits = decode_bits(stream, classes, 1, backend)
    signs = np.where(bits, np.int8(-1), np.int8(1)).reshape(entries, -1)
    return HashGridWeights(config=config, signs=signs, box_min=box[:3], box_max=box[3:])
