"""Context model: hash features and decoded values in, distribution parameters in value units out.

Integer networks and single float32 operations: the same bits on every machine. FORMAT.md §8.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..config import ModelConfig
from .exact_product import ExactProduct, numpy_product
from .hash_features import hash_features
from .integer_net import evaluate, quantize_inputs
from .tables import STEP_RANGE, STEP_UNITS, Tables
from .weights import HashGridWeights, IntegerContext

__all__ = [
    "LENGTH_UNIT_VOXELS",
    "STEP_FLOOR",
    "AnchorContext",
    "AnchorSteps",
    "ContextModel",
    "GaussianValues",
    "HashNetValues",
]

FloatArray = npt.NDArray[np.float32]

STEP_FLOOR = 1.0 / 16.0
"""Smallest step as a share of its base. Source: docs/design.md, "Quantization"."""
LENGTH_UNIT_VOXELS = 16.0
"""The float networks give and see scalings in units of this many voxels: values near 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorSteps:
    """Level-1 quantization steps of each anchor, in value units."""

    feature: FloatArray  # [N]
    scaling: FloatArray  # [N] world units
    offset: FloatArray  # [N]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorContext:
    """What the context model knows of anchors from their positions alone."""

    hash_features: npt.NDArray[np.int16]  # [N, G] 1/512
    step_index: npt.NDArray[np.int16]  # [N, 3] of the step table, 0 = base step
    steps: AnchorSteps


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianValues:
    """Parameters of one Gaussian per scalar, in value units; `scale` may have any sign."""

    mean: FloatArray
    scale: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class HashNetValues:
    """Outputs of the hash context network at one level."""

    feature: FloatArray
    """`[N, 3F]`: mean [F], scale [F], mixture logit [F]."""
    scaling: GaussianValues  # [N, 6] world units


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextModel:
    """The networks of one file and who multiplies."""

    config: ModelConfig
    voxel_size: float
    hash_grid: HashGridWeights
    context: IntegerContext
    tables: Tables
    product: ExactProduct = numpy_product

    def anchor_context(self, lattice: npt.NDArray[np.int32]) -> AnchorContext:
        """Evaluate what depends on positions only, `[N, 3]` lattice coordinates."""
        features = hash_features(self.hash_grid, lattice)
        out = evaluate(self.context.step, features.astype(np.float32), 0, self.product)
        units = np.clip(np.rint(out * np.float32(STEP_UNITS)), -STEP_RANGE, STEP_RANGE)
        index = units.astype(np.int16)
        return AnchorContext(hash_features=features, step_index=index, steps=self._steps(index))

    def _steps(self, index: npt.NDArray[np.int16]) -> AnchorSteps:
        ratio, config = self.tables.step_ratio[index + STEP_RANGE], self.config
        return AnchorSteps(
            feature=np.float32(config.feature_step) * ratio[:, 0],
            scaling=np.float32(config.scaling_step * self.voxel_size) * ratio[:, 1],
            offset=np.float32(config.offset_step) * ratio[:, 2],
        )

    def hash_net(self, context: AnchorContext, level: int) -> HashNetValues:
        """Evaluate the hash context network at `level` (1-based)."""
        inputs, F = context.hash_features.astype(np.float32), self.config.feature_dim
        out = evaluate(self.context.first, inputs, level - 1, self.product)
        scaling = GaussianValues(mean=out[:, 3 * F : 3 * F + 6], scale=out[:, 3 * F + 6 :])
        return HashNetValues(feature=out[:, : 3 * F], scaling=scaling)

    def channel_inputs(self, hash_net: HashNetValues) -> FloatArray:
        """Return `[N, F + 3F]` inputs of the channel networks, earlier values still zero."""
        F = self.config.feature_dim
        inputs = np.zeros((len(hash_net.feature), 4 * F), dtype=np.float32)
        inputs[:, F:] = quantize_inputs(hash_net.feature, self.context.parameter_input)
        return inputs

    def channel_net(
        self,
        inputs: FloatArray,  # [N, 4F] of channel_inputs, groups before `chunk` filled in
        chunk: int,
    ) -> FloatArray:
        """Evaluate channel network `chunk` (0-based).

        Returns:
            `[N, 3 chunk_dim]`: mean, scale, mixture logit.
        """
        F, known = self.config.feature_dim, chunk * self.config.chunk_dim
        used = np.concatenate([inputs[:, :known], inputs[:, F:]], axis=1)
        return evaluate(self.context.channels[chunk], used, 0, self.product)

    def offset_net(self, context: AnchorContext) -> GaussianValues:
        """Return mean and scale of the offsets, each `[N, 3K]`."""
        inputs = context.hash_features.astype(np.float32)
        out = evaluate(self.context.offset, inputs, 0, self.product)
        half = 3 * self.config.num_offsets
        return GaussianValues(mean=out[:, :half], scale=out[:, half:])

    def feature_trit_logits(
        self,
        hash_features: npt.NDArray[np.int16],  # [N, G]
        coarse: FloatArray,  # [N, F] dequantized
        level: int,
    ) -> FloatArray:
        """Return `[N, F, 3]` logits of refining features to the step of `level`."""
        known = quantize_inputs(coarse, self.context.feature_input)
        inputs = np.concatenate([hash_features.astype(np.float32), known], axis=1)
        out = evaluate(self.context.feature_trits, inputs, level - 1, self.product)
        return out.reshape(len(coarse), -1, 3)

    def scaling_trit_logits(
        self,
        hash_features: npt.NDArray[np.int16],  # [N, G]
        coarse: FloatArray,  # [N, 6] world units
        level: int,
    ) -> FloatArray:
        """Return `[N, 6, 3]` logits of refining scaling to the step of `level`."""
        known = quantize_inputs(coarse, self.context.scaling_input)
        inputs = np.concatenate([hash_features.astype(np.float32), known], axis=1)
        out = evaluate(self.context.scaling_trits, inputs, level - 1, self.product)
        return out.reshape(len(coarse), -1, 3)
