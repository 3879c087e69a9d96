"""Weights of everything a decoder evaluates, in the integers and float32 of the file.

The float trainable networks live in `model/`; `levels/calibrate.py` makes these from them.
G hash features, F feature channels, K offsets, S levels. Those of the attribute heads are defined
in `splats/head_weights.py`, the layer below, and re-exported here.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..config import HashGridConfig
from ..splats.head_weights import Dense, HeadWeights

__all__ = [
    "BOX_UNITS",
    "Dense",
    "HashGridWeights",
    "HeadWeights",
    "IntegerContext",
    "IntegerNet",
    "QuantizedDense",
    "QuantizedHead",
]

FloatArray = npt.NDArray[np.float32]
Int64Array = npt.NDArray[np.int64]

BOX_UNITS = 256
"""The box of the hash grid is stated in this fraction of a lattice cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HashGridWeights:
    """The binary hash grid and the box it spans."""

    config: HashGridConfig
    signs: npt.NDArray[np.int8]
    """`[E, features_per_level]` of -1 or +1; levels in order 3-D, then xy, xz, yz planes."""
    box_low: Int64Array  # [3] 1/256 lattice cells
    box_size: Int64Array  # [3] 1/256 lattice cells, >= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegerNet:
    """Two layers with int8 weights whose sums are exact in float32 (FORMAT.md §8.2).

    hidden = clip(rint(leaky((W1 x + b1) * multiplier)), -1023, 1023), real = (W2 hidden + b2) *
    out_scale. x holds integers of magnitude <= 1023.
    """

    hidden_weight: npt.NDArray[np.int8]  # [H, inputs]
    hidden_bias: npt.NDArray[np.int32]  # [H]
    multiplier: FloatArray
    """`[L, H]`, one row per level where the net is modulated, else one row; > 0 once known."""
    leaky: bool
    """Slope 0.01 below zero, else 0."""
    out_weight: npt.NDArray[np.int8]  # [outputs, H]
    out_bias: npt.NDArray[np.int32]  # [outputs]
    out_scale: FloatArray  # [outputs] > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegerContext:
    """Context model (facts §2.2, §3.2, §3.5) in integers."""

    first: IntegerNet
    """G -> 3F + 12, modulated: feature mean [F], scale [F], mixture logit [F]; scaling mean [6],
    scale [6] in world units."""
    step: IntegerNet  # G -> 3: a of feature, scaling, offset; Q = Q0 (1 + tanh a)
    offset: IntegerNet  # G -> 6K: mean [3K], scale [3K]
    channels: tuple[IntegerNet, ...]
    """Per group i: [i chunk_dim earlier values | 3F outputs of `first`] -> 3 chunk_dim."""
    feature_trits: IntegerNet  # [G | coarse feature F] -> 3F logits, modulated
    scaling_trits: IntegerNet  # [G | coarse scaling 6] -> 18 logits, modulated
    feature_input: FloatArray  # [F] value to network input
    parameter_input: FloatArray  # [3F] outputs of `first` to network input
    scaling_input: FloatArray  # [6] world units to network input


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedDense:
    """Affine layer of an attribute MLP as stored: y = x (weight * scale).T + bias."""

    weight: npt.NDArray[np.int8]  # [out, in]
    scale: FloatArray  # [out] bfloat16 values
    bias: FloatArray  # [out] float16 values

    def dense(self) -> Dense:
        """Return the layer in float32."""
        weight = self.weight.astype(np.float32) * self.scale[:, None]
        return Dense(weight=weight, bias=self.bias)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedHead:
    """Attribute MLPs as stored: opacity, covariance, colour, hidden and output layer each."""

    layers: tuple[QuantizedDense, ...]  # 6
    distance_unit: float

    def weights(self) -> HeadWeights:
        """Return the float32 weights that renderers evaluate."""
        dense = [layer.dense() for layer in self.layers]
        return HeadWeights(
            opacity_hidden=dense[0], opacity_out=dense[1], covariance_hidden=dense[2],
            covariance_out=dense[3], color_hidden=dense[4], color_out=dense[5],
            distance_unit=self.distance_unit,
        )  # fmt: skip
