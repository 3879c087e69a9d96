"""Distributions of first-decoded symbols: context model and decoded values in, coder input out.

Networks are evaluated in blocks of anchors, so memory stays with the integers. FORMAT.md §8.3.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .context_model import AnchorContext, ContextModel, HashNetValues
from .distribution import MixtureDistribution
from .integer_net import quantize_inputs
from .quantization import (
    GaussianParameters,
    gaussian_parameters,
    inverse_step,
    mixture_weight,
)

__all__ = ["FeatureLaws", "LevelDistributions", "context_rows", "level_step"]

FloatArray = npt.NDArray[np.float32]
Int64Array = npt.NDArray[np.int64]

BLOCK = 8192
"""Anchors whose network outputs are alive at once."""


def level_step(step: FloatArray, depth: int) -> FloatArray:
    """Return the step after `depth` refinements: step / 3**depth in float32."""
    return step / np.float32(3**depth)


class FeatureLaws:
    """Laws of the feature groups of new anchors; later groups see the earlier ones."""

    def __init__(self, model: ContextModel, context: AnchorContext, level: int) -> None:
        """Evaluate the hash context network.

        Args:
            model: networks of the file, this level's multipliers included.
            context: of the new anchors.
            level: 1-based level at which they appear.
        """
        self._model = model
        self._step = level_step(context.steps.feature, level - 1)[:, None]
        self._inverse = inverse_step(self._step)
        parts = [model.hash_net(c, level) for c in _blocks(context)]
        self._outputs = np.concatenate([p.feature for p in parts])
        self._inputs = np.concatenate([model.channel_inputs(p) for p in parts])
        self.scaling_law = self._scaling_law(parts, context, level)
        """Law of the `N * 6` scaling symbols."""

    def group(self, chunk: int) -> MixtureDistribution:
        """Return the law of the `N * chunk_dim` symbols of channel group `chunk`."""
        C, F = self._model.config.chunk_dim, self._model.config.feature_dim
        own = slice(chunk * C, (chunk + 1) * C)
        first, second, weights = [], [], []
        for at in _block_slices(len(self._inputs)):
            outputs = self._outputs[at].reshape(-1, 3, F)[:, :, own]
            channel = self._model.channel_net(self._inputs[at], chunk).reshape(-1, 3, C)
            inverse = self._inverse[at]
            first.append(gaussian_parameters(outputs[:, 0], outputs[:, 1], inverse))
            second.append(gaussian_parameters(channel[:, 0], channel[:, 1], inverse))
            weights.append(mixture_weight(outputs[:, 2], channel[:, 2], self._model.tables))
        one, two = _flat(first), _flat(second)
        return MixtureDistribution.from_parameters(
            np.stack([one.mean, two.mean]),
            np.stack([one.scale, two.scale]),
            np.concatenate(weights).ravel(),
            self._model.tables,
        )

    def know(self, chunk: int, symbols: npt.NDArray[np.int32]) -> None:
        """Take the decoded `[N, chunk_dim]` symbols of a group as context of the next ones."""
        C = self._model.config.chunk_dim
        own = slice(chunk * C, (chunk + 1) * C)
        values = symbols.astype(np.float32) * self._step
        scale = self._model.context.feature_input[own]
        self._inputs[:, own] = quantize_inputs(values, scale)

    def _scaling_law(
        self, parts: list[HashNetValues], context: AnchorContext, level: int
    ) -> MixtureDistribution:
        inverse = inverse_step(level_step(context.steps.scaling, level - 1))[:, None]
        mean = np.concatenate([p.scaling.mean for p in parts])
        scale = np.concatenate([p.scaling.scale for p in parts])
        found = gaussian_parameters(mean, scale, inverse)
        tables = self._model.tables
        return MixtureDistribution.single(found.mean.ravel(), found.scale.ravel(), tables)


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelDistributions:
    """What `codec` asks while it walks the first decodes of `level`."""

    model: ContextModel
    level: int  # 1-based

    def features(self, context: AnchorContext) -> FeatureLaws:
        """Return the laws of new anchors' features and scaling."""
        return FeatureLaws(self.model, context, self.level)

    def offsets(
        self,
        context: AnchorContext,
        chosen: npt.NDArray[np.bool_],  # [N, K]
    ) -> MixtureDistribution:
        """Return the `G * 3` offsets of the chosen Gaussians, in (anchor, k) order."""
        rows = np.flatnonzero(chosen.any(axis=1))
        wanted = np.repeat(chosen[rows], 3, axis=1)
        found = []
        for at in _block_slices(len(rows)):
            block, pick = context_rows(context, rows[at]), wanted[at]
            values = self.model.offset_net(block)
            inverse = np.broadcast_to(inverse_step(block.steps.offset)[:, None], pick.shape)
            found.append(gaussian_parameters(values.mean[pick], values.scale[pick], inverse[pick]))
        flat = _flat(found)
        return MixtureDistribution.single(flat.mean, flat.scale, self.model.tables)


def context_rows(context: AnchorContext, rows: slice | Int64Array) -> AnchorContext:
    """Return the context of some anchors."""
    steps = context.steps
    return AnchorContext(
        hash_features=context.hash_features[rows],
        step_index=context.step_index[rows],
        steps=type(steps)(
            feature=steps.feature[rows], scaling=steps.scaling[rows], offset=steps.offset[rows]
        ),
    )


def _block_slices(count: int) -> list[slice]:
    return [slice(begin, begin + BLOCK) for begin in range(0, max(count, 1), BLOCK)]


def _blocks(context: AnchorContext) -> list[AnchorContext]:
    return [context_rows(context, at) for at in _block_slices(len(context.hash_features))]


def _flat(parts: list[GaussianParameters]) -> GaussianParameters:
    return GaussianParameters(
        mean=np.concatenate([p.mean.ravel() for p in parts]),
        scale=np.concatenate([p.scale.ravel() for p in parts]),
    )
