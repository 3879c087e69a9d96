"""Distributions of first-decoded symbols: context model and decoded values in, coder input out.

Networks are evaluated in blocks of anchors, so memory stays with the integers. FORMAT.md §8.3.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .context_model import AnchorContext, ContextModel
from .distribution import MixtureDistribution
from .integer_net import quantize_inputs
from .native_context import NetOutputs
from .quantization import gaussian_law, inverse_step, mixture_law

__all__ = ["FeatureLaws", "LevelDistributions", "block_slices", "context_rows", "level_step"]

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
        count, F = len(context.hash_features), model.config.feature_dim
        self._model = model
        self._step = level_step(context.steps.feature, level - 1)
        self._outputs = np.empty((count, 3 * F + 12), dtype=np.float32)
        self._inputs = np.empty((count, 4 * F), dtype=np.float32)
        for at in block_slices(count):
            outputs = model.hash_net(context.hash_features[at], level)
            self._outputs[at], self._inputs[at] = outputs, model.channel_inputs(outputs)
        self.scaling_law = gaussian_law(
            NetOutputs(values=self._outputs, mean=3 * F, scale=3 * F + 6),
            6,
            inverse_step(level_step(context.steps.scaling, level - 1)),
            model.tables,
            native=model.native,
        )
        """Law of the `N * 6` scaling symbols."""

    def group(self, chunk: int) -> MixtureDistribution:
        """Return the law of the `N * chunk_dim` symbols of channel group `chunk`."""
        C, F = self._model.config.chunk_dim, self._model.config.feature_dim
        channel = np.empty((len(self._inputs), 3 * C), dtype=np.float32)
        for at in block_slices(len(self._inputs)):
            channel[at] = self._model.channel_net(self._inputs[at], chunk)
        begin = chunk * C
        return mixture_law(
            NetOutputs(values=self._outputs, mean=begin, scale=F + begin, logit=2 * F + begin),
            NetOutputs(values=channel, mean=0, scale=C, logit=2 * C),
            C,
            inverse_step(self._step),
            self._model.tables,
            native=self._model.native,
        )

    def know(self, chunk: int, symbols: npt.NDArray[np.int32]) -> None:
        """Take the decoded `[N, chunk_dim]` symbols of a group as context of the next ones."""
        C, F = self._model.config.chunk_dim, self._model.config.feature_dim
        own = slice(chunk * C, (chunk + 1) * C)
        values = symbols.astype(np.float32) * self._step[:, None]
        scale = self._model.context.feature_input[own]
        self._inputs[:, 3 * F + own.start : 3 * F + own.stop] = quantize_inputs(values, scale)


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
        count, width = int(np.count_nonzero(wanted)), 3 * self.model.config.num_offsets
        values, inverse = np.empty((count, 2), np.float32), np.empty(count, np.float32)
        begin = 0
        for at in block_slices(len(rows)):
            outputs, pick = self.model.offset_net(context.hash_features[rows[at]]), wanted[at]
            end = begin + int(np.count_nonzero(pick))
            values[begin:end, 0] = outputs[:, :width][pick]
            values[begin:end, 1] = outputs[:, width:][pick]
            steps = inverse_step(context.steps.offset[rows[at]])
            inverse[begin:end] = np.repeat(steps, pick.sum(axis=1))
            begin = end
        net = NetOutputs(values=values, mean=0, scale=1)
        return gaussian_law(net, 1, inverse, self.model.tables, native=self.model.native)


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


def block_slices(count: int) -> list[slice]:
    """Return ranges of `BLOCK` of `count` anchors."""
    return [slice(begin, min(begin + BLOCK, count)) for begin in range(0, count, BLOCK)]
