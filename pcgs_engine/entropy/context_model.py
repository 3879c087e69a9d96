"""Context model: hash features and decoded values in, distribution parameters in value units out.

Evaluated in float64, so that differences between BLAS kernels are far below the rounding to
integer parameters in `quantization`. Rules: docs/design.md, "Quantization" and "First-decode
distributions"; FORMAT.md §8.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..config import ModelConfig
from .hash_features import hash_features
from .weights import ContextWeights, Dense, HashGridWeights

__all__ = [
    "LENGTH_UNIT_VOXELS",
    "STEP_FLOOR",
    "AnchorContext",
    "AnchorSteps",
    "ContextModel",
    "GaussianValues",
    "HashNetValues",
]

Float64Array = npt.NDArray[np.float64]

LEAKY_SLOPE = 0.01
"""Slope of LeakyReLU below zero. Source: facts §2.2."""
STEP_FLOOR = 1.0 / 16.0
"""Smallest step as a share of its base. Source: docs/design.md, "Quantization"."""

LENGTH_UNIT_VOXELS = 16.0
"""Networks give and see scalings in units of this many voxels, so that values are near 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorSteps:
    """Level-1 quantization steps of each anchor, in value units."""

    feature: Float64Array  # [N]
    scaling: Float64Array  # [N] world units
    offset: Float64Array  # [N]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorContext:
    """What the context model knows of anchors from their positions alone."""

    hash_features: Float64Array  # [N, G]
    steps: AnchorSteps


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianValues:
    """Parameters of one Gaussian per scalar, in value units; `scale` may have any sign."""

    mean: Float64Array
    scale: Float64Array


@dataclass(frozen=True, slots=True, kw_only=True)
class HashNetValues:
    """Outputs of the hash context network at one level."""

    feature: Float64Array
    """`[N, 3F]`: mean [F], scale [F], mixture logit [F]."""
    scaling: GaussianValues  # [N, 6]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextModel:
    """The networks of one file, evaluated in float64."""

    config: ModelConfig
    voxel_size: float
    hash_grid: HashGridWeights
    context: ContextWeights

    @property
    def length_unit(self) -> float:
        """World length in which the networks give and see scalings."""
        return LENGTH_UNIT_VOXELS * self.voxel_size

    def anchor_context(self, positions: Float64Array) -> AnchorContext:
        """Evaluate what depends on positions only.

        Args:
            positions: `[N, 3] float64`, world units (lattice * voxel_size in float64).
        """
        features = hash_features(self.hash_grid, positions)
        return AnchorContext(hash_features=features, steps=self._steps(features))

    def steps(self, positions: Float64Array) -> AnchorSteps:
        """Return the level-1 steps of anchors at `positions` `[N, 3] float64`, world units."""
        return self._steps(hash_features(self.hash_grid, positions))

    def _steps(self, features: Float64Array) -> AnchorSteps:
        weights = self.context
        hidden = _leaky_relu(_affine(weights.step_hidden, features))
        ratio = np.maximum(1.0 + np.tanh(_affine(weights.step_out, hidden)), STEP_FLOOR)
        return AnchorSteps(
            feature=self.config.feature_step * ratio[:, 0],
            scaling=self.config.scaling_step * self.voxel_size * ratio[:, 1],
            offset=self.config.offset_step * ratio[:, 2],
        )

    def hash_net(self, context: AnchorContext, level: int) -> HashNetValues:
        """Evaluate the hash context network at `level` (1-based)."""
        weights, F = self.context, self.config.feature_dim
        hidden = _affine(weights.hash_hidden, context.hash_features)
        hidden = np.maximum(hidden * weights.hash_gain[level - 1].astype(np.float64), 0.0)
        out = _affine(weights.hash_out, hidden)
        lengths = out[:, 3 * F :] * self.length_unit
        scaling = GaussianValues(mean=lengths[:, :6], scale=lengths[:, 6:])
        return HashNetValues(feature=out[:, : 3 * F], scaling=scaling)

    def channel_net(
        self,
        hash_net: HashNetValues,
        previous: Float64Array,  # [N, chunk chunk_dim]
        chunk: int,
    ) -> Float64Array:
        """Evaluate channel network `chunk`.

        Args:
            hash_net: outputs of the hash context network.
            previous: `[N, chunk * chunk_dim] float64` dequantized values of earlier chunks.
            chunk: 0-based channel group.

        Returns:
            `[N, 3 chunk_dim]`: mean, scale, mixture logit.
        """
        inputs = np.concatenate([previous, hash_net.feature], axis=1)
        hidden = _leaky_relu(_affine(self.context.channel_hidden[chunk], inputs))
        return _affine(self.context.channel_out[chunk], hidden)

    def offset_net(self, context: AnchorContext) -> GaussianValues:
        """Return mean and scale of the offsets, each `[N, 3K]`."""
        hidden = _leaky_relu(_affine(self.context.offset_hidden, context.hash_features))
        out = _affine(self.context.offset_out, hidden)
        half = 3 * self.config.num_offsets
        return GaussianValues(mean=out[:, :half], scale=out[:, half:])

    def feature_trit_logits(
        self,
        context: AnchorContext,
        coarse: Float64Array,  # [N, F]
        level: int,
    ) -> Float64Array:
        """Return `[N, F, 3]` logits of refining dequantized features `coarse` to `level`."""
        weights = self.context
        inputs = np.concatenate([context.hash_features, coarse], axis=1)
        gain = weights.feature_trit_gain[level - 1].astype(np.float64)
        hidden = np.maximum(_affine(weights.feature_trit_hidden, inputs) * gain, 0.0)
        return _affine(weights.feature_trit_out, hidden).reshape(len(coarse), -1, 3)

    def scaling_trit_logits(
        self,
        context: AnchorContext,
        coarse: Float64Array,  # [N, 6]
        level: int,
    ) -> Float64Array:
        """Return `[N, 6, 3]` logits of refining dequantized scaling `coarse` to `level`."""
        weights = self.context
        inputs = np.concatenate([context.hash_features, coarse / self.length_unit], axis=1)
        gain = weights.scaling_trit_gain[level - 1].astype(np.float64)
        hidden = np.maximum(_affine(weights.scaling_trit_hidden, inputs) * gain, 0.0)
        return _affine(weights.scaling_trit_out, hidden).reshape(len(coarse), -1, 3)


def _affine(layer: Dense, inputs: Float64Array) -> Float64Array:
    product: Float64Array = inputs @ layer.weight.T.astype(np.float64)
    return product + layer.bias.astype(np.float64)


def _leaky_relu(values: Float64Array) -> Float64Array:
    return np.where(values < 0, values * LEAKY_SLOPE, values)
