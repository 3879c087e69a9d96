"""Distributions of one level's symbols: context model and decoded values in, coder input out.

Networks are evaluated in blocks of anchors, so memory stays with the integers. FORMAT.md §8.3.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .context_model import AnchorContext, ContextModel, HashNetValues
from .distribution import MixtureDistribution, TritDistribution
from .quantization import (
    GaussianParameters,
    gaussian_parameters,
    mixture_weight,
    trit_parameters,
)
from .tables import Tables

__all__ = ["LevelDistributions", "context_rows"]

Float64Array = npt.NDArray[np.float64]
Int64Array = npt.NDArray[np.int64]

BLOCK = 8192
"""Anchors whose network outputs are alive at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelDistributions:
    """What `codec` asks while it walks the symbols of `level`."""

    model: ContextModel
    tables: Tables
    level: int  # 1-based

    @property
    def _shrink(self) -> float:
        return float(3 ** (self.level - 1))

    def hash_net(self, context: AnchorContext) -> HashNetValues:
        """Evaluate the hash context network for new anchors."""
        parts = [self.model.hash_net(c, self.level) for c in _blocks(context)]
        return HashNetValues(
            feature=_joined([p.feature for p in parts], 3 * self.model.config.feature_dim),
            scaling=type(parts[0].scaling)(
                mean=_joined([p.scaling.mean for p in parts], 6),
                scale=_joined([p.scaling.scale for p in parts], 6),
            ),
        )

    def features(
        self,
        context: AnchorContext,
        hash_net: HashNetValues,
        previous: Float64Array,  # [N, chunk chunk_dim]
        chunk: int,
    ) -> MixtureDistribution:
        """Return the `N * chunk_dim` first-decode features of channel group `chunk`."""
        C, F = self.model.config.chunk_dim, self.model.config.feature_dim
        own = slice(chunk * C, (chunk + 1) * C)
        steps = context.steps.feature[:, None] / self._shrink
        first, second, weights = [], [], []
        for begin in range(0, max(len(steps), 1), BLOCK):
            at = slice(begin, begin + BLOCK)
            block = HashNetValues(feature=hash_net.feature[at], scaling=hash_net.scaling)
            outputs = block.feature.reshape(-1, 3, F)[:, :, own]
            channel = self.model.channel_net(block, previous[at], chunk).reshape(-1, 3, C)
            first.append(gaussian_parameters(outputs[:, 0], outputs[:, 1], steps[at]))
            second.append(gaussian_parameters(channel[:, 0], channel[:, 1], steps[at]))
            weights.append(mixture_weight(outputs[:, 2], channel[:, 2]))
        one, two = _flat(first), _flat(second)
        return MixtureDistribution.from_parameters(
            np.stack([one.mean, two.mean]),
            np.stack([one.scale, two.scale]),
            np.concatenate(weights).ravel(),
            self.tables,
        )

    def scaling(self, context: AnchorContext, hash_net: HashNetValues) -> MixtureDistribution:
        """Return the `N * 6` first-decode scaling symbols."""
        values = hash_net.scaling
        steps = context.steps.scaling[:, None] / self._shrink
        found = gaussian_parameters(values.mean, values.scale, steps)
        return MixtureDistribution.single(found.mean.ravel(), found.scale.ravel(), self.tables)

    def offsets(
        self,
        context: AnchorContext,
        chosen: npt.NDArray[np.bool_],  # [N, K]
    ) -> MixtureDistribution:
        """Return the `G * 3` offsets of the chosen Gaussians, in (anchor, k) order."""
        rows = np.flatnonzero(chosen.any(axis=1))
        wanted = np.repeat(chosen[rows], 3, axis=1)
        found = []
        for begin in range(0, max(len(rows), 1), BLOCK):
            at = rows[begin : begin + BLOCK]
            block = context_rows(context, at)
            values, pick = self.model.offset_net(block), wanted[begin : begin + BLOCK]
            steps = np.broadcast_to(block.steps.offset[:, None], pick.shape)
            found.append(gaussian_parameters(values.mean[pick], values.scale[pick], steps[pick]))
        flat = _flat(found)
        return MixtureDistribution.single(flat.mean, flat.scale, self.tables)

    def feature_trits(
        self,
        context: AnchorContext,
        coarse: Float64Array,  # [N, F]
    ) -> TritDistribution:
        """Return the `N * F` trits that refine features to this level."""
        below = [
            trit_parameters(self.model.feature_trit_logits(c, v, self.level)).reshape(-1, 3)
            for c, v in zip(_blocks(context), _value_blocks(coarse), strict=True)
        ]
        return TritDistribution.from_parameters(np.concatenate(below), self.tables)

    def scaling_trits(
        self,
        context: AnchorContext,
        coarse: Float64Array,  # [N, 6]
    ) -> TritDistribution:
        """Return the `N * 6` trits that refine scaling to this level."""
        below = [
            trit_parameters(self.model.scaling_trit_logits(c, v, self.level)).reshape(-1, 3)
            for c, v in zip(_blocks(context), _value_blocks(coarse), strict=True)
        ]
        return TritDistribution.from_parameters(np.concatenate(below), self.tables)


def context_rows(context: AnchorContext, rows: slice | Int64Array) -> AnchorContext:
    """Return the context of some anchors."""
    steps = context.steps
    return AnchorContext(
        hash_features=context.hash_features[rows],
        steps=type(steps)(
            feature=steps.feature[rows], scaling=steps.scaling[rows], offset=steps.offset[rows]
        ),
    )


def _blocks(context: AnchorContext) -> list[AnchorContext]:
    count = max(len(context.hash_features), 1)
    return [context_rows(context, slice(b, b + BLOCK)) for b in range(0, count, BLOCK)]


def _value_blocks(values: Float64Array) -> list[Float64Array]:
    return [values[b : b + BLOCK] for b in range(0, max(len(values), 1), BLOCK)]


def _joined(parts: list[Float64Array], width: int) -> Float64Array:
    return np.concatenate(parts).reshape(-1, width)


def _flat(parts: list[GaussianParameters]) -> GaussianParameters:
    return GaussianParameters(
        mean=np.concatenate([p.mean.ravel() for p in parts]),
        scale=np.concatenate([p.scale.ravel() for p in parts]),
    )
