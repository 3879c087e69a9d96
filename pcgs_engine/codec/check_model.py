"""Checks of a CodedModel before it is encoded: nothing or a ConfigError out."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..entropy.coded_model import CodedModel
from ..entropy.mask_law import SHAPE_INPUTS
from ..errors import ConfigError
from .scene_chunks import LARGEST, MAX_RANKS, SMALLEST

__all__ = ["check_model"]

MAX_MASK_WIDTH = 255
SYMBOL_LIMIT = 1 << 24
"""Largest |symbol| at its finest."""


def check_model(coded: CodedModel) -> None:
    """Check shapes and ranges that the coders rely on.

    Raises:
        ConfigError: naming the array, what was found and what was wanted.
    """
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
    _check_anchors(coded)
    _check_ranking(coded)
    _check_mask_net(coded)


def _check_anchors(coded: CodedModel) -> None:
    config, anchors = coded.config, coded.anchors
    N, F, K, S = len(anchors.positions), config.feature_dim, config.num_offsets, config.num_levels
    if N == 0:
        raise ConfigError("coded model has no anchors, wanted at least one")
    shapes: dict[str, tuple[npt.NDArray[Any], tuple[int, ...]]] = {
        "first_level": (anchors.first_level, (N,)),
        "positions": (anchors.positions, (N, 3)),
        "mask_level": (anchors.mask_level, (N, K)),
        "features": (anchors.features, (N, F)),
        "scaling": (anchors.scaling, (N, 6)),
        "offsets": (anchors.offsets, (N, K, 3)),
    }
    for name, (array, shape) in shapes.items():
        if array.shape != shape:
            raise ConfigError(f"{name} has shape {array.shape}, wanted {shape}")
    first = anchors.first_level.astype(np.int64)
    if (np.diff(first) < 0).any() or first[0] < 1 or first[-1] > S:
        raise ConfigError(f"first levels do not rise from 1 to at most {S}")
    if int(anchors.mask_level.max()) > S:
        raise ConfigError(f"mask level {int(anchors.mask_level.max())}, wanted 0..{S}")
    shown = np.where(anchors.mask_level == 0, S + 1, anchors.mask_level).astype(np.int64)
    if (shown < first[:, None]).any() or (shown.min(axis=1) != first).any():
        raise ConfigError("an anchor's first level is not that of its first Gaussian")
    if int(anchors.scaling.min()) < 0:
        raise ConfigError(f"scaling symbol {int(anchors.scaling.min())}, wanted at least 0")
    for name in ("features", "scaling", "offsets"):
        most = int(np.abs(getattr(anchors, name).astype(np.int64)).max(initial=0))
        if most > SYMBOL_LIMIT:
            raise ConfigError(
                f"{name}: symbol of magnitude {most}, wanted at most {SYMBOL_LIMIT}; "
                "the model diverged or its steps are too small"
            )


def _check_ranking(coded: CodedModel) -> None:
    ranking, config, N = coded.ranking, coded.config, len(coded.anchors.positions)
    if not 1 <= ranking.ranks <= MAX_RANKS:
        raise ConfigError(f"{ranking.ranks} ranks, wanted 1..{MAX_RANKS}")
    S = config.num_levels
    wanted = (S * ranking.ranks, config.feature_dim + 6, S - 1)
    if ranking.rank.shape != (N,) or ranking.gain.shape != wanted:
        raise ConfigError(
            f"ranking of shapes {ranking.rank.shape}, {ranking.gain.shape}, wanted {(N,)}, {wanted}"
        )
    if int(ranking.rank.max()) >= ranking.ranks or not np.isfinite(ranking.gain).all():
        raise ConfigError("a rank is too large or a gain is not finite")


def _check_mask_net(coded: CodedModel) -> None:
    net, F, K = coded.mask_net, coded.config.feature_dim, coded.config.num_offsets
    if net is None:
        return
    width = len(net.bias)
    wanted = {
        "base": ((K, 4),), "bias": ((width,),), "bit_weight": ((K, width),),
        "input_weight": ((width, SHAPE_INPUTS), (width, SHAPE_INPUTS + F)),
        "count_weight": ((4, width),), "out_weight": ((1, width), (K, width)),
    }  # fmt: skip
    for name, shapes in wanted.items():
        shape = getattr(net, name).shape
        if shape not in shapes or not 1 <= width <= MAX_MASK_WIDTH:
            raise ConfigError(f"mask net: {name} has shape {shape}, wanted {shapes[-1]}")
        if int(getattr(net, name).min()) < -127:
            raise ConfigError(f"mask net: {name} holds -128, wanted -127..127")
