"""Checks of a CodedModel before it is encoded: nothing or a ConfigError out."""

import numpy as np

from ..entropy.coded_model import CodedModel
from ..entropy.symbols import LevelSymbols
from ..errors import ConfigError
from .scene_chunks import LARGEST, SMALLEST

__all__ = ["check_model"]


def check_model(coded: CodedModel) -> None:
    """Check shapes and ranges that the coders rely on.

    Raises:
        ConfigError: naming the array, what was found and what was wanted.
    """
    wanted, found = coded.config.num_levels, len(coded.levels)
    if found != wanted:
        raise ConfigError(f"coded model has {found} levels, its config {wanted}")
    config, head = coded.config, coded.head
    steps = (config.feature_step, config.scaling_step, config.offset_step)
    for length in (coded.voxel_size, head.distance_unit, *steps):
        if not SMALLEST <= length <= LARGEST:
            raise ConfigError(
                f"voxel_size {coded.voxel_size}, distance_unit {head.distance_unit} and steps "
                f"{steps}: wanted {SMALLEST}..{LARGEST}"
            )
    if coded.hash_grid.config != coded.config.hash_grid:
        raise ConfigError("hash grid weights are of another hash grid config")
    old = 0
    for number, symbols in enumerate(coded.levels, start=1):
        if symbols.level != number:
            raise ConfigError(f"level {symbols.level} at place {number}, wanted rising levels")
        _check_level(coded, symbols, old)
        old += len(symbols.positions)
    if old == 0:
        raise ConfigError("coded model has no anchors, wanted at least one")


def _check_level(coded: CodedModel, symbols: LevelSymbols, old: int) -> None:
    F, K, new = coded.config.feature_dim, coded.config.num_offsets, len(symbols.positions)
    shapes = {
        "positions": (symbols.positions, (new, 3)),
        "gaussian_mask": (symbols.gaussian_mask, (old + new, K)),
        "features": (symbols.features, (new, F)),
        "scaling": (symbols.scaling, (new, 6)),
        "offsets": (symbols.offsets, (len(symbols.offsets), 3)),
        "feature_trits": (symbols.feature_trits, (old, F)),
        "scaling_trits": (symbols.scaling_trits, (old, 6)),
    }
    for name, (array, shape) in shapes.items():
        if array.shape != shape:
            place = f"level {symbols.level}: {name}"
            raise ConfigError(f"{place} has shape {array.shape}, wanted {shape}")
    for name, trits in (("feature", symbols.feature_trits), ("scaling", symbols.scaling_trits)):
        if trits.size and int(np.max(trits)) > 2:
            raise ConfigError(f"level {symbols.level}: a {name} trit is {int(np.max(trits))}")
