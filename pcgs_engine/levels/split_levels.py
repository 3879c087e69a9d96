"""A trained model in, integers at their finest out (facts §3.4, §3.5; docs/design.md)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..entropy.coded_model import CodedAnchors, CodedModel
from ..entropy.context_model import LENGTH_UNIT_VOXELS, AnchorSteps, ContextModel
from ..entropy.hash_features import HASH_UNITS, hash_features
from ..entropy.mask_law import MaskNet, mask_inputs
from ..entropy.positions import coding_order
from ..entropy.tables import Tables, load_tables
from ..entropy.weights import BOX_UNITS, HashGridWeights, IntegerContext
from ..errors import ModelMismatchError
from ..model.anchors import ANCHOR_PARAMETERS
from ..model.hash_grid import HashGrid
from ..model.masks import gaussian_mask
from ..model.trained_model import TrainedModel
from .calibrate import CalibrationAnchors, calibrate_context, weight_limit
from .fit_mask_net import fit_mask_net
from .quantize_head import quantize_head
from .rank_anchors import rank_anchors
from .sensitivity import Sensitivity

__all__ = ["hash_grid_weights", "integer_context", "split_levels"]

Float64Array = npt.NDArray[np.float64]

SYMBOL_LIMIT = (1 << 24) - 1
"""Largest magnitude of a symbol at its finest: exact in float32."""
CALIBRATION_ANCHORS = 16_384
"""Anchors that ranges are measured on, evenly spread in coding order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Values:
    """Unquantized values of all coded anchors in coding order."""

    lattice: npt.NDArray[np.int32]  # [N, 3]
    rows: npt.NDArray[np.int64]  # [N] anchors of the trained model
    first_level: npt.NDArray[np.uint8]  # [N] 1-based, rising
    mask_level: npt.NDArray[np.uint8]  # [N, K]
    feature: Float64Array  # [N, F]
    scaling: Float64Array  # [N, 6]
    offsets: Float64Array  # [N, K, 3]


def split_levels(
    model: TrainedModel,
    sensitivity: Sensitivity | None = None,
    deferred: npt.NDArray[np.int64] | None = None,
    mask_net: MaskNet | None = None,
) -> CodedModel:
    """Quantize a trained model into the integers of its last level.

    Anchors that no level uses are dropped. Steps come from the decoder's own context model, so
    that values agree bit by bit.

    Args:
        model: what training left.
        sensitivity: how much each value matters to the training views; without it refinements
            are ordered by the size of their errors alone.
        deferred: `[n]`, rows of anchors that come with level 2 instead of level 1; None: none.
        mask_net: law of level 1's masks from another split of this model; None: fitted here,
            which takes most of the time.

    Raises:
        ModelMismatchError: no anchor is left at the first level, or a value is not finite.
    """
    _check_finite(model)
    values = _ordered_values(model, deferred)
    config, voxel_size = model.config.model, model.anchors.voxel_size
    hash_grid = hash_grid_weights(model.hash_grid, voxel_size)
    context = _calibrated(model, hash_grid, values)
    twin = ContextModel(
        config=config, voxel_size=voxel_size, hash_grid=hash_grid, context=context,
        tables=load_tables(),
    )  # fmt: skip
    found = twin.anchor_context(values.lattice)
    steps = found.steps
    anchors = _finest(values, steps, config.num_levels)
    return CodedModel(
        config=config,
        voxel_size=voxel_size,
        hash_grid=hash_grid,
        context=context,
        head=quantize_head(model.head.weights()),
        camera_centres=model.camera_centres,
        anchors=anchors,
        ranking=rank_anchors(
            anchors,
            np.concatenate([values.feature, values.scaling], axis=1),
            _all_steps(steps, config.feature_dim),
            _all_sensitivities(values, sensitivity, voxel_size),
            config.num_levels,
        ),
        mask_net=mask_net or _mask_net(anchors, found.step_index, config.num_levels, twin.tables),
    )


def integer_context(model: TrainedModel) -> tuple[HashGridWeights, IntegerContext]:
    """Return hash grid and context networks as `split_levels` stores them."""
    hash_grid = hash_grid_weights(model.hash_grid, model.anchors.voxel_size)
    return hash_grid, _calibrated(model, hash_grid, _ordered_values(model))


def hash_grid_weights(grid: HashGrid, voxel_size: float) -> HashGridWeights:
    """Return the signs and the box, widened to whole 1/256 cells of the lattice."""
    low = grid.box_min.detach().cpu().numpy().astype(np.float64) / voxel_size * BOX_UNITS
    high = grid.box_max.detach().cpu().numpy().astype(np.float64) / voxel_size * BOX_UNITS
    box_low = np.floor(low).astype(np.int64)
    return HashGridWeights(
        config=grid.config,
        signs=grid.signs(),
        box_low=box_low,
        box_size=np.ceil(high).astype(np.int64) - box_low,
    )


def _check_finite(model: TrainedModel) -> None:
    for name in ANCHOR_PARAMETERS:
        bad = int((~getattr(model.anchors, name).isfinite()).sum())
        if bad:
            raise ModelMismatchError(
                f"{bad} values of {name} are not finite, wanted none: the training went astray; "
                "train again with another --seed or lower learning rates"
            )


def _calibrated(model: TrainedModel, hash_grid: HashGridWeights, values: _Values) -> IntegerContext:
    every = max(len(values.lattice) // CALIBRATION_ANCHORS, 1)
    unit = LENGTH_UNIT_VOXELS * model.anchors.voxel_size
    sample = CalibrationAnchors(
        hash_features=hash_features(hash_grid, values.lattice[::every]) / float(HASH_UNITS),
        features=values.feature[::every],
        scaling=values.scaling[::every] / unit,
    )
    limit = weight_limit(len(values.lattice))
    return calibrate_context(model.context.weights(), model.config.model, sample, unit, limit)


def _ordered_values(model: TrainedModel, deferred: npt.NDArray[np.int64] | None = None) -> _Values:
    anchors = model.anchors
    num_levels = model.config.model.num_levels
    masks = np.stack(
        [gaussian_mask(anchors.mask_logits, s).cpu().numpy() for s in range(1, num_levels + 1)]
    )
    if deferred is not None and num_levels > 1:
        masks[0, deferred] = False
    present: npt.NDArray[np.bool_] = np.any(masks, axis=2)  # [S, N]
    if not present[0].any():
        raise ModelMismatchError(
            "no anchor is left at level 1, wanted at least one; lower the first rate weight"
        )
    lattice = anchors.lattice.cpu().numpy()
    # Masks never shrink, so levels are contiguous.
    first = num_levels + 1 - present.sum(axis=0)
    mask_level = np.where(masks[-1], num_levels + 1 - masks.sum(axis=0), 0)
    order = _coding_permutation(lattice, first, num_levels)

    def rows(values: npt.NDArray[np.float32]) -> Float64Array:
        return values[order].astype(np.float64)

    return _Values(
        lattice=np.ascontiguousarray(lattice[order]),
        rows=order,
        first_level=first[order].astype(np.uint8),
        mask_level=mask_level[order].astype(np.uint8),
        feature=rows(anchors.feature.detach().cpu().numpy()),
        scaling=rows(anchors.scaling.detach().cpu().numpy()),
        offsets=rows(anchors.offsets.detach().cpu().numpy()),
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


def _finest(values: _Values, steps: AnchorSteps, num_levels: int) -> CodedAnchors:
    finest = 3.0 ** (num_levels - 1)
    return CodedAnchors(
        first_level=values.first_level,
        positions=values.lattice,
        mask_level=values.mask_level,
        features=_rounded(values.feature * finest / steps.feature[:, None]),
        scaling=_rounded(values.scaling * finest / steps.scaling[:, None]),
        offsets=_rounded(values.offsets / steps.offset[:, None, None]),
    )


def _mask_net(
    anchors: CodedAnchors, step_index: npt.NDArray[np.int16], num_levels: int, tables: Tables
) -> MaskNet | None:
    """Fit the law of level 1's masks."""
    rows = slice(int(np.searchsorted(anchors.first_level, 2)))
    features, scaling = anchors.features[rows], anchors.scaling[rows]
    for _ in range(num_levels - 1):
        features, scaling = (features + 1) // 3, (scaling + 1) // 3
    inputs = mask_inputs(features, scaling, step_index[rows])
    return fit_mask_net(anchors.mask_level[rows] == 1, inputs, tables)


def _all_steps(steps: AnchorSteps, features: int) -> Float64Array:
    """Return the steps of features and scaling side by side, `[N, F + 6]`."""
    widths = np.array([features, 6])
    both: Float64Array = np.stack([steps.feature, steps.scaling], axis=1).astype(np.float64)
    return np.repeat(both, widths, axis=1)


def _all_sensitivities(
    values: _Values, sensitivity: Sensitivity | None, voxel_size: float
) -> Float64Array:
    """Return `[N, F + 6]`; unknown ones weigh features alone and scaling in voxels."""
    if sensitivity is None:
        scaling = np.full(values.scaling.shape, voxel_size**-2)
        return np.concatenate([np.ones(values.feature.shape), scaling], axis=1)
    parts = [sensitivity.feature[values.rows], sensitivity.scaling[values.rows]]
    both: Float64Array = np.concatenate(parts, axis=1).astype(np.float64)
    return both


def _rounded(values: Float64Array) -> npt.NDArray[np.int32]:
    return np.clip(np.round(values), -SYMBOL_LIMIT, SYMBOL_LIMIT).astype(np.int32)
