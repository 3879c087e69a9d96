"""Laws of refinement trits: anchors as they were before the level in, trit distributions out.

A block is a group of anchors and one channel (features, then the 6 scalings). All blocks of a
level see the values of the level before, so they can come in any order. FORMAT.md §8.3.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .context_model import ContextModel
from .distribution import TritDistribution
from .quantization import trit_parameters

__all__ = ["Block", "CoarseAnchors", "RefinementLaws"]

FloatArray = npt.NDArray[np.float32]
Int64Array = npt.NDArray[np.int64]

BLOCK = 8192
"""Anchors whose network outputs are alive at once."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Block:
    """What is refined together."""

    group: int
    channel: int
    """0..F-1 features, F..F+5 scaling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoarseAnchors:
    """Anchors before a level's refinements."""

    hash_features: npt.NDArray[np.int16]  # [N, G]
    features: FloatArray  # [N, F] dequantized
    scaling: FloatArray  # [N, 6] dequantized, world units
    groups: npt.NDArray[np.uint8]  # [N]


class RefinementLaws:
    """Evaluates the trinomial networks of a group once per depth, when first asked."""

    def __init__(self, model: ContextModel, anchors: CoarseAnchors) -> None:
        """Keep what the networks look at."""
        self._model = model
        self._anchors = anchors
        self._below: dict[tuple[int, int, bool], npt.NDArray[np.uint16]] = {}
        self._rows: dict[int, Int64Array] = {}

    def rows(self, group: int) -> Int64Array:
        """Return the anchors of a group, rising."""
        if group not in self._rows:
            self._rows[group] = np.flatnonzero(self._anchors.groups == group)
        return self._rows[group]

    def below(self, block: Block, depth: int) -> npt.NDArray[np.uint16]:
        """Return `[rows, 3]` distances below the largest logit (`quantization`).

        Args:
            block: what is refined.
            depth: how often it was refined before, first decodes at level s counting s - 1.
        """
        F = self._model.config.feature_dim
        scaling = block.channel >= F
        key = (block.group, depth, scaling)
        if key not in self._below:
            self._below[key] = self._evaluated(self.rows(block.group), depth, scaling)
        return self._below[key][:, block.channel - (F if scaling else 0)]

    def law(self, blocks: list[tuple[Block, int]]) -> TritDistribution:
        """Return the trits of blocks with their depths, block after block."""
        parts = [self.below(block, depth) for block, depth in blocks]
        return TritDistribution.from_parameters(np.concatenate(parts), self._model.tables)

    def _evaluated(self, rows: Int64Array, depth: int, scaling: bool) -> npt.NDArray[np.uint16]:
        model, anchors = self._model, self._anchors
        net = model.scaling_trit_logits if scaling else model.feature_trit_logits
        values = anchors.scaling if scaling else anchors.features
        found = [np.zeros((0, values.shape[1], 3), dtype=np.uint16)]
        for begin in range(0, len(rows), BLOCK):
            at = rows[begin : begin + BLOCK]
            logits = net(anchors.hash_features[at], values[at], depth + 2)
            found.append(trit_parameters(logits))
        return np.concatenate(found)
