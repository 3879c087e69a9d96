"""Float context networks to integer ones, after training: rounding with measured ranges.

Every row of a weight matrix gets the finest scale that keeps it in int8, every hidden unit and
input the scale at which its values on the scene's anchors fill 10 bits. Measured on three scenes
this costs 0.03-0.3 % of the rate (docs/experiments.md), so no quantization-aware training is
needed. Rules: FORMAT.md §8.2.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..config import ModelConfig
from ..entropy.bfloat16 import round_bfloat16, round_up_bfloat16
from ..entropy.exact_product import EXACT_SUM
from ..entropy.hash_features import HASH_UNITS
from ..entropy.integer_net import INPUT_LIMIT, LEAKY_SLOPE
from ..entropy.weights import Dense, IntegerContext, IntegerNet
from ..model.context_weights import ContextWeights

__all__ = ["CalibrationAnchors", "calibrate_context", "weight_limit"]

Float64Array = npt.NDArray[np.float64]
FloatArray = npt.NDArray[np.float32]

TYPICAL = 0.9999
"""Share of values an input or hidden scale covers; the rest is clipped."""
TYPICAL_SCALING = 0.98
"""... of coarse scalings, whose tail is long: clipping it costs 0.2 % of their trits, not 1.7 %."""
FEW_ANCHORS = 100_000
"""Below this, coarse weights save more than they cost: 4 kB against 1 kB at 40,000 anchors."""
SMALLEST = 1e-12
BIAS_LIMIT = 1 << 21
"""Largest |bias|; the rest of `EXACT_SUM` is left to the weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationAnchors:
    """A sample of anchors as the networks see them, unquantized."""

    hash_features: Float64Array  # [n, G], -1..1
    features: Float64Array  # [n, F]
    scaling: Float64Array  # [n, 6] in the networks' length unit


def weight_limit(anchors: int) -> int:
    """Return the largest |weight| to use for a scene of so many anchors."""
    return 63 if anchors < FEW_ANCHORS else 127


def calibrate_context(
    weights: ContextWeights,
    config: ModelConfig,
    anchors: CalibrationAnchors,
    length_unit: float,
    limit: int,
) -> IntegerContext:
    """Return the integer networks.

    Args:
        weights: float networks.
        config: sizes of the model.
        anchors: what ranges are measured on.
        length_unit: world length of the networks' scalings.
        limit: largest |weight|, at most 127.
    """
    F, H = config.feature_dim, anchors.hash_features
    grid = np.full(H.shape[1], HASH_UNITS, dtype=np.float32)
    first = _float_net(weights.hash_hidden, weights.hash_out, H, weights.hash_gain[0], False)
    feature_input = _input_scale(anchors.features, TYPICAL)
    parameter_input = _input_scale(first[:, : 3 * F], TYPICAL)
    scaling_input = _input_scale(anchors.scaling, TYPICAL_SCALING)
    units = np.ones(3 * F + 12)
    units[3 * F :] = length_unit
    channels = []
    for chunk, (hidden, out) in enumerate(
        zip(weights.channel_hidden, weights.channel_out, strict=True)
    ):
        known = chunk * config.chunk_dim
        inputs = np.concatenate([anchors.features[:, :known], first[:, : 3 * F]], axis=1)
        scale = np.concatenate([feature_input[:known], parameter_input])
        channels.append(_integer_net(hidden, out, inputs, scale, limit, leaky=True))
    return IntegerContext(
        first=_integer_net(
            weights.hash_hidden, weights.hash_out, H, grid, limit,
            gains=weights.hash_gain, units=units,
        ),
        step=_integer_net(weights.step_hidden, weights.step_out, H, grid, 127, leaky=True),
        offset=_integer_net(weights.offset_hidden, weights.offset_out, H, grid, limit, leaky=True),
        channels=tuple(channels),
        feature_trits=_integer_net(
            weights.feature_trit_hidden, weights.feature_trit_out,
            np.concatenate([H, anchors.features], axis=1), np.concatenate([grid, feature_input]),
            limit, gains=weights.feature_trit_gain,
        ),
        scaling_trits=_integer_net(
            weights.scaling_trit_hidden, weights.scaling_trit_out,
            np.concatenate([H, anchors.scaling], axis=1), np.concatenate([grid, scaling_input]),
            limit, gains=weights.scaling_trit_gain,
        ),
        feature_input=feature_input,
        parameter_input=parameter_input,
        scaling_input=round_bfloat16(scaling_input / length_unit),
    )  # fmt: skip


def _input_scale(values: Float64Array, share: float) -> FloatArray:
    return round_bfloat16(INPUT_LIMIT / _reach(values, share))


def _reach(values: Float64Array, share: float) -> Float64Array:
    """Return the magnitude that `share` of each column's values stay below."""
    if len(values) == 0:
        return np.ones(values.shape[1])
    reach: Float64Array = np.quantile(np.abs(values), share, axis=0)
    return np.maximum(reach, SMALLEST)


def _float_net(
    hidden: Dense, out: Dense, inputs: Float64Array, gain: FloatArray, leaky: bool
) -> Float64Array:
    unit = _activated(inputs @ hidden.weight.T.astype(np.float64) + hidden.bias, gain, leaky)
    result: Float64Array = unit @ out.weight.T.astype(np.float64) + out.bias
    return result


def _activated(sums: Float64Array, gain: FloatArray | float, leaky: bool) -> Float64Array:
    units = sums * gain
    return np.where(units < 0, units * (float(LEAKY_SLOPE) if leaky else 0.0), units)


def _integer_net(
    hidden: Dense,
    out: Dense,
    inputs: Float64Array,  # [n, in] unquantized
    input_scale: FloatArray,  # [in]
    limit: int,
    *,
    leaky: bool = False,
    gains: FloatArray | None = None,  # [S, H]
    units: Float64Array | None = None,  # [out] factor on the outputs
) -> IntegerNet:
    rows = np.ones((1, len(hidden.bias))) if gains is None else gains.astype(np.float64)
    weight = hidden.weight.astype(np.float64) / input_scale
    row_scale = _row_scale(weight, hidden.bias, limit)
    sums = inputs @ hidden.weight.T.astype(np.float64) + hidden.bias
    # The level with the widest activations sets the unit of a hidden unit.
    reach = np.max([_reach(_activated(sums, row, leaky), TYPICAL) for row in rows], axis=0)
    alive = reach > 2 * SMALLEST
    unit = np.where(alive, reach, 1.0) / INPUT_LIMIT
    first = round_bfloat16(row_scale * rows[0] / unit)
    # What bfloat16 changes of the first row's multiplier, the next layer's columns make up for.
    unit = np.where(first != 0, row_scale * rows[0] / np.where(first != 0, first, 1), unit)
    exact = row_scale * rows / unit
    multiplier = round_bfloat16(np.where(np.abs(exact) < SMALLEST, 0.0, exact))
    if units is None:
        units = np.ones(len(out.bias))
    columns = out.weight.astype(np.float64) * unit * units[:, None]
    out_bias = out.bias * units
    out_scale = _row_scale(columns, out_bias, limit)
    return IntegerNet(
        hidden_weight=np.rint(weight / row_scale[:, None]).astype(np.int8),
        hidden_bias=np.rint(hidden.bias / row_scale).astype(np.int32),
        multiplier=multiplier,
        leaky=leaky,
        out_weight=np.rint(columns / out_scale[:, None]).astype(np.int8),
        out_bias=np.rint(out_bias / out_scale).astype(np.int32),
        out_scale=out_scale,
    )


def _row_scale(weight: Float64Array, bias: npt.NDArray[np.floating[Any]], limit: int) -> FloatArray:
    """Return the finest scale of each row that keeps weights, bias and sums in their bounds."""
    magnitude = np.abs(weight)
    # Rounding adds at most a half to every weight.
    room = EXACT_SUM - BIAS_LIMIT - INPUT_LIMIT * weight.shape[1] / 2
    needed = np.maximum(magnitude.max(axis=1) / limit, magnitude.sum(axis=1) * INPUT_LIMIT / room)
    return round_up_bfloat16(np.maximum(needed, np.abs(bias) / BIAS_LIMIT) + SMALLEST)
