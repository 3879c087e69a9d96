"""Context model: hash features and decoded values in, distribution parameters in value units out.

Integer networks and single float32 operations: the same bits on every machine. FORMAT.md §8.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..config import ModelConfig
from .backend import EntropyBackend, best_backend
from .exact_product import ExactProduct, numpy_product
from .hash_features import hash_features
from .integer_net import evaluate, quantize_inputs
from .tables import STEP_RANGE, STEP_UNITS, Tables
from .weights import HashGridWeights, IntegerContext, IntegerNet

__all__ = [
    "LENGTH_UNIT_VOXELS",
    "STEP_FLOOR",
    "AnchorContext",
    "AnchorSteps",
    "ContextModel",
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
class ContextModel:
    """The networks of one file and who evaluates them; results do not depend on that."""

    config: ModelConfig
    voxel_size: float
    hash_grid: HashGridWeights
    context: IntegerContext
    tables: Tables
    product: ExactProduct = numpy_product
    backend: EntropyBackend | None = None
    """Code that does all but multiply; None: the fastest here."""

    @property
    def native(self) -> bool:
        """Whether the native library does the arithmetic."""
        numpy_only = self.backend is EntropyBackend.NUMPY
        return not numpy_only and best_backend() is EntropyBackend.NATIVE

    def anchor_context(self, lattice: npt.NDArray[np.int32]) -> AnchorContext:
        """Evaluate what depends on positions only, `[N, 3]` lattice coordinates."""
        backend = EntropyBackend.NATIVE if self.native else EntropyBackend.NUMPY
        features = hash_features(self.hash_grid, lattice, backend)
        out = self._evaluated(self.context.step, features.astype(np.float32))
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

    def hash_net(
        self,
        hash_features: npt.NDArray[np.int16],  # [N, G]
        level: int,
    ) -> FloatArray:
        """Evaluate the hash context network at `level` (1-based).

        Returns:
            `[N, 3F + 12]`: mean [F], scale [F], mixture logit [F] of the features, mean [6] and
            scale [6] of the scaling, world units.
        """
        return self._evaluated(self.context.first, hash_features.astype(np.float32), level - 1)

    def channel_inputs(
        self,
        hash_net: FloatArray,  # [N, 3F + 12] of `hash_net`
    ) -> FloatArray:
        """Return `[N, 3F + F]` inputs of the channel networks, decoded values still zero."""
        F = self.config.feature_dim
        inputs = np.zeros((len(hash_net), 4 * F), dtype=np.float32)
        inputs[:, : 3 * F] = quantize_inputs(hash_net[:, : 3 * F], self.context.parameter_input)
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
        net = self.context.channels[chunk]
        # Decoded values come first in the file's weights, last here: no copy as they grow.
        weight = np.roll(net.hidden_weight, -known, axis=1)
        return self._evaluated(replace(net, hidden_weight=weight), inputs[:, : 3 * F + known])

    def offset_net(
        self,
        hash_features: npt.NDArray[np.int16],  # [N, G]
    ) -> FloatArray:
        """Return mean [3K] and scale [3K] of the offsets, `[N, 6K]`."""
        return self._evaluated(self.context.offset, hash_features.astype(np.float32))

    def feature_trit_logits(
        self,
        hash_features: npt.NDArray[np.int16],  # [N, G]
        coarse: FloatArray,  # [N, F] dequantized
        level: int,
    ) -> FloatArray:
        """Return `[N, F, 3]` logits of refining features to the step of `level`."""
        known = quantize_inputs(coarse, self.context.feature_input)
        inputs = np.concatenate([hash_features.astype(np.float32), known], axis=1)
        out = self._evaluated(self.context.feature_trits, inputs, level - 1)
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
        out = self._evaluated(self.context.scaling_trits, inputs, level - 1)
        return out.reshape(len(coarse), -1, 3)

    def _evaluated(self, net: IntegerNet, inputs: FloatArray, row: int = 0) -> FloatArray:
        return evaluate(net, inputs, row, self.product, native=self.native)
