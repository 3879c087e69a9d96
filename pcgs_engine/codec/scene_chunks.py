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
MAX_RANKS = 16
"""Times 16 levels: groups fit a byte."""
MAX_BOX = 1 << 32
"""Largest box size of the hash grid, 1/256 cells: products with resolutions fit 64 bits."""
MAX_CORNER = 1 << 40
"""Largest |corner| of the box."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """Contents of MODL."""

    config: ModelConfig
    voxel_size: float
    distance_unit: float
    ranks: int
    """Groups per level that refinements are ordered by."""


def pack_model(facts: ModelFacts, limits: DecodeLimits) -> bytes:
    """Return the JSON of MODL."""
    values: dict[str, object] = {
        "model": config_to_dict(facts.config),
        "voxel_size": facts.voxel_size,
        "distance_unit": facts.distance_unit,
        "ranks": facts.ranks,
    }
    return pack_json(values, limits)


def unpack_model(data: bytes, limits: DecodeLimits) -> ModelFacts:
    """Read MODL.

    Raises:
        MalformedError: a key is missing, unknown or out of range.
        LimitExceededError: too long, or the hash grid is too large.
    """
    values = unpack_json("MODL", data, limits)
    names = ("voxel_size", "distance_unit")
    lengths = [values.get(name) for name in names]
    if set(values) != {"model", *names, "ranks"} or not all(
        type(v) is float and SMALLEST <= v <= LARGEST for v in lengths
    ):
        raise MalformedError(
            f"MODL holds {sorted(values)} with lengths {lengths}, "
            f"wanted model, ranks, and voxel_size and distance_unit of {SMALLEST}..{LARGEST}"
        )
    ranks = values["ranks"]
    if type(ranks) is not int or not 1 <= ranks <= MAX_RANKS:
        raise MalformedError(f"MODL: ranks is {ranks!r}, wanted 1..{MAX_RANKS}")
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
    return ModelFacts(config=config, voxel_size=voxel_size, distance_unit=unit, ranks=ranks)


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
    box = np.concatenate([grid.box_low, grid.box_size]).astype("<i8")
    _check_box(box)
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
    if len(head) != 48:
        raise MalformedError(f"HASH: box of {len(head)} bytes, wanted 48")
    box = np.frombuffer(head, dtype="<i8").astype(np.int64)
    _check_box(box)
    entries = grid_entries(config)
    classes = np.zeros(entries * config.features_per_level, dtype=np.int64)
    bits = decode_bits(stream, classes, 1, backend)
    signs = np.where(bits, np.int8(-1), np.int8(1)).reshape(entries, -1)
    return HashGridWeights(config=config, signs=signs, box_low=box[:3], box_size=box[3:])


def _check_box(box: npt.NDArray[np.int64]) -> None:
    low, size = box[:3], box[3:]
    if (np.abs(low) > MAX_CORNER).any() or (size < 0).any() or (size > MAX_BOX).any():
        raise MalformedError(
            f"HASH: box at {low.tolist()} of size {size.tolist()}, wanted sizes 0..{MAX_BOX}"
        )
