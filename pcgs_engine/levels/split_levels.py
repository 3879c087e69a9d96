"""A trained model in, integers per level out (facts §3.4, §3.5; docs/design.md Quantization)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..entropy.coded_model import CodedModel
from ..entropy.context_model import AnchorSteps, ContextModel
from ..entropy.positions import coding_order
from ..entropy.symbols import LevelSymbols
from ..entropy.weights import HashGridWeights
from ..errors import ModelMismatchError
from ..model.anchors import ANCHOR_PARAMETERS
from ..model.hash_grid import HashGrid
from ..model.masks import gaussian_mask
from ..model.trained_model import TrainedModel

__all__ = ["split_levels"]

SYMBOL_LIMIT = (1 << 24) - 1
"""Largest magnitude of a first-decode symbol; float32 products with the step stay exact enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Values:
    """Unquantized values of all coded anchors in coding order, float64, and their steps."""

    lattice: npt.NDArray[np.int32]  # [N, 3]
    first_level: npt.NDArray[np.int64]  # [N] 1-based, rising
    masks: npt.NDArray[np.bool_]  # [S, N, K]
    feature: npt.NDArray[np.float64]  # [N, F]
    scaling: npt.NDArray[np.float64]  # [N, 6]
    offsets: npt.NDArray[np.float64]  # [N, K, 3]
    steps: AnchorSteps


def split_levels(model: TrainedModel) -> CodedModel:
    """Quantize a trained model into the symbols of every level.

    Anchors that no level uses are dropped. Steps come from the decoder's own context model, so
    that values agree bit by bit.

    Raises:
        ModelMismatchError: no anchor is left at the first level, or a value is not finite.
    """
    _check_finite(model)
    hash_grid, context = _hash_grid_weights(model.hash_grid), model.context.weights()
    twin = ContextModel(
        config=model.config.model,
        voxel_size=model.anchors.voxel_size,
        hash_grid=hash_grid,
        context=context,
    )
    values = _ordered_values(model, twin)
    levels = _all_levels(values, model.config.model.num_levels)
    return CodedModel(
        config=model.config.model,
        voxel_size=model.anchors.voxel_size,
        hash_grid=hash_grid,
        context=context,
        head=model.head.weights(),
        camera_centres=model.camera_centres,
        levels=levels,
    )


def _check_finite(model: TrainedModel) -> None:
    for name in ANCHOR_PARAMETERS:
        bad = int((~getattr(model.anchors, name).isfinite()).sum())
        if bad:
            raise ModelMismatchError(
                f"{bad} values of {name} are not finite, wanted none: the training went astray; "
                "train again with another --seed or lower learning rates"
            )


def _hash_grid_weights(grid: HashGrid) -> HashGridWeights:
    return HashGridWeights(
        config=grid.config,
        signs=grid.signs(),
        box_min=grid.box_min.detach().cpu().numpy().astype(np.float32),
        box_max=grid.box_max.detach().cpu().numpy().astype(np.float32),
    )


def _ordered_values(model: TrainedModel, twin: ContextModel) -> _Values:
    anchors = model.anchors
    num_levels = model.config.model.num_levels
    masks = np.stack(
        [gaussian_mask(anchors.mask_logits, s).cpu().numpy() for s in range(1, num_levels + 1)]
    )
    present: npt.NDArray[np.bool_] = np.any(masks, axis=2)  # [S, N]
    if not present[0].any():
        raise ModelMismatchError(
            "no anchor is left at level 1, wanted at least one; lower the first rate weight"
        )
    lattice = anchors.lattice.cpu().numpy()
    first = num_levels + 1 - present.sum(axis=0)  # masks never shrink, so levels are contiguous
    order = _coding_permutation(lattice, first, num_levels)
    lattice = np.ascontiguousarray(lattice[order])
    positions = lattice.astype(np.float64) * anchors.voxel_size

    def rows(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        return values[order].astype(np.float64)

    return _Values(
        lattice=lattice,
        first_level=first[order],
        masks=masks[:, order],
        feature=rows(anchors.feature.detach().cpu().numpy()),
        scaling=rows(anchors.scaling.detach().cpu().numpy()),
        offsets=rows(anchors.offsets.detach().cpu().numpy()),
        steps=twin.steps(positions),
    )


def _coding_permutation(
    lattice: npt.NDArray[np.int32], first: npt.NDArray[np.int64], num_levels: int
) -> npt.NDArray[np.int64]:
    """Anchors by first level, within a level in the position coder's order."""
    parts = []
    for level in range(1, num_levels + 1):
        members = np.flatnonzero(first == level)
        parts.append(members[coding_order(lattice[members])])
    return np.concatenate(parts)


def _all_levels(values: _Values, num_levels: int) -> tuple[LevelSymbols, ...]:
    feature_index = np.zeros(values.feature.shape, dtype=np.int64)
    scaling_index = np.zeros(values.scaling.shape, dtype=np.int64)
    offset_index = _clipped(values.offsets / values.steps.offset[:, None, None])
    before = np.zeros(values.masks.shape[1:], dtype=np.bool_)
    result = []
    for level in range(1, num_levels + 1):
        old = slice(0, int(np.searchsorted(values.first_level, level)))
        end = int(np.searchsorted(values.first_level, level + 1))
        new = slice(old.stop, end)
        feature_step = values.steps.feature[:, None] / 3.0 ** (level - 1)
        scaling_step = values.steps.scaling[:, None] / 3.0 ** (level - 1)
        feature_trits = _trits(values.feature[old], feature_index[old], feature_step[old])
        scaling_trits = _trits(values.scaling[old], scaling_index[old], scaling_step[old])
        feature_index[old] = 3 * feature_index[old] + feature_trits.astype(np.int64) - 1
        scaling_index[old] = 3 * scaling_index[old] + scaling_trits.astype(np.int64) - 1
        feature_index[new] = _clipped(values.feature[new] / feature_step[new])
        scaling_index[new] = _clipped(values.scaling[new] / scaling_step[new])
        mask = values.masks[level - 1]
        fresh = mask[:end] & ~before[:end]
        result.append(
            LevelSymbols(
                level=level,
                positions=values.lattice[new],
                gaussian_mask=mask[:end].copy(),
                features=feature_index[new].astype(np.int32),
                scaling=scaling_index[new].astype(np.int32),
                offsets=offset_index[:end][fresh].astype(np.int32),
                feature_trits=feature_trits,
                scaling_trits=scaling_trits,
            )
        )
        before = mask
    return tuple(result)


def _clipped(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return np.clip(np.round(values), -SYMBOL_LIMIT, SYMBOL_LIMIT).astype(np.int64)


def _trits(
    values: npt.NDArray[np.float64],
    index: npt.NDArray[np.int64],
    step: npt.NDArray[np.float64],
) -> npt.NDArray[np.uint8]:
    """Which third of the coarse interval a value lies in; clamped at the interval's ends."""
    residual = np.round(values / step) - 3.0 * index
    trits: npt.NDArray[np.uint8] = (np.clip(residual, -1, 1) + 1).astype(np.uint8)
    return trits
