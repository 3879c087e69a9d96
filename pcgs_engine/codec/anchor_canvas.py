"""AnchorCanvas: the integers decoded so far; any reached level can be read from it.

Refining maps n to 3 n + d with d in -1..1, so `floor((n + 1) / 3)` undoes it exactly: one canvas
serves all levels. How often each group's channel was refined is kept per level.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..bitstream import NO_DIGEST
from ..config import ModelConfig
from ..entropy.coded_model import SMALLEST_SCALING
from ..entropy.context_model import AnchorContext, AnchorSteps
from ..entropy.level_distributions import context_rows
from ..splats.anchor_set import AnchorSet

__all__ = ["AnchorCanvas", "empty_canvas", "undone"]

FloatArray = npt.NDArray[np.float32]
Int32Array = npt.NDArray[np.int32]
ByteArray = npt.NDArray[np.uint8]

POWERS = np.array([3**depth for depth in range(16)], dtype=np.float32)
"""Exact: 3**15 < 2**24."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorCanvas:
    """State after `level` levels (0 = nothing) and `part` refinements of it, in coding order."""

    level: int
    part: int
    """Refinement chunks of `level` that were applied."""
    counts: tuple[int, ...]
    """Anchors at each level reached."""
    positions: Int32Array  # [N, 3] lattice
    mask_level: ByteArray  # [N, K] level at which a Gaussian appears, 0 = not yet
    features: Int32Array  # [N, F] symbols at step Q / 3**depth
    scaling: Int32Array  # [N, 6]
    offsets: Int32Array  # [N, K, 3], 0 where the Gaussian is absent
    context: AnchorContext
    groups: ByteArray  # [N] group of each anchor; of the newest level: with rank 0
    depths: ByteArray
    """`[level, groups, F + 6]`: refinements of a group's channel at the end of each level."""
    digest: bytes
    """Chained digest of everything decoded (FORMAT.md §7.4)."""

    def at_level(self, level: int) -> "AnchorCanvas":
        """Return the state as it was at the end of an earlier level, or the present one."""
        if level == self.level:
            return self
        count, F = self.counts[level - 1], self.features.shape[1]
        groups = self.groups[:count]
        steps = (self.depths[-1] - self.depths[level - 1])[groups]
        mask_level = self.mask_level[:count]
        present = (mask_level > 0) & (mask_level <= level)
        return replace(
            self,
            level=level,
            counts=self.counts[:level],
            positions=self.positions[:count],
            mask_level=np.where(present, mask_level, 0).astype(np.uint8),
            features=undone(self.features[:count], steps[:, :F]),
            scaling=undone(self.scaling[:count], steps[:, F:]),
            offsets=np.where(present[:, :, None], self.offsets[:count], 0),
            context=context_rows(self.context, slice(count)),
            groups=groups,
            depths=self.depths[:level],
        )

    @property
    def num_gaussians(self) -> int:
        """Gaussians present at this level."""
        return int(np.count_nonzero(self.mask_level))

    def feature_values(self) -> FloatArray:
        """Return the dequantized features `[N, F]`."""
        steps = self._steps(self.context.steps.feature, slice(0, self.features.shape[1]))
        values: FloatArray = self.features.astype(np.float32) * steps
        return values

    def scaling_values(self) -> FloatArray:
        """Return the dequantized scaling `[N, 6]`, world units, > 0."""
        steps = self._steps(self.context.steps.scaling, slice(self.features.shape[1], None))
        index = np.maximum(self.scaling.astype(np.float32), np.float32(SMALLEST_SCALING))
        values: FloatArray = index * steps
        return values

    def to_anchors(self, voxel_size: float) -> AnchorSet:
        """Return dequantized attributes."""
        offsets = self.offsets.astype(np.float32) * self.context.steps.offset[:, None, None]
        return AnchorSet(
            level=self.level,
            positions=(self.positions * voxel_size).astype(np.float32),
            features=self.feature_values(),
            scaling=self.scaling_values(),
            offsets=offsets,
            gaussian_mask=self.mask_level > 0,
        )

    def _steps(self, base: FloatArray, channels: slice) -> FloatArray:
        """Return base / 3**depth, `[N, channels]`; a column where all depths are one row."""
        table = POWERS[self.depths[-1][:, channels]]
        if len(table) and (table == table[0, 0]).all():
            shared: FloatArray = (base / table[0, 0])[:, None]
            return shared
        steps: FloatArray = base[:, None] / table[self.groups]
        return steps


def undone(values: Int32Array, steps: npt.NDArray[np.integer[Any]]) -> Int32Array:
    """Take back `steps` refinements of each value; shapes broadcast."""
    result = values
    for done in range(int(steps.max(initial=0))):
        result = np.where(steps > done, (result + 1) // 3, result)
    return result


def empty_canvas(config: ModelConfig, ranks: int) -> AnchorCanvas:
    """Return the state before level 1."""
    none = np.zeros(0, dtype=np.float32)
    K, F = config.num_offsets, config.feature_dim
    return AnchorCanvas(
        level=0,
        part=0,
        counts=(),
        positions=np.zeros((0, 3), dtype=np.int32),
        mask_level=np.zeros((0, K), dtype=np.uint8),
        features=np.zeros((0, F), dtype=np.int32),
        scaling=np.zeros((0, 6), dtype=np.int32),
        offsets=np.zeros((0, K, 3), dtype=np.int32),
        context=AnchorContext(
            hash_features=np.zeros((0, config.hash_grid.output_dim), dtype=np.int16),
            step_index=np.zeros((0, 3), dtype=np.int16),
            steps=AnchorSteps(feature=none, scaling=none, offset=none),
        ),
        groups=np.zeros(0, dtype=np.uint8),
        depths=np.zeros((0, config.num_levels * ranks, F + 6), dtype=np.uint8),
        digest=NO_DIGEST,
    )
