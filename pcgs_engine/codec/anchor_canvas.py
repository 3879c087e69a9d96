"""AnchorCanvas: the integers decoded so far; any reached level can be read from it.

Refining maps n to 3 n + d with d in -1..1, so `floor((n + 1) / 3)` undoes it exactly: one canvas
serves all levels.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..config import ModelConfig
from ..entropy.context_model import AnchorContext, AnchorSteps
from ..entropy.symbols import SMALLEST_SCALING
from ..splats.anchor_set import AnchorSet

__all__ = ["AnchorCanvas", "empty_canvas"]

Int32Array = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorCanvas:
    """State after `level` levels (0 = nothing), anchors in coding order."""

    level: int
    counts: tuple[int, ...]
    """Anchors at each level reached."""
    positions: Int32Array  # [N, 3] lattice
    mask_level: npt.NDArray[np.uint8]  # [N, K] level at which a Gaussian appears, 0 = not yet
    features: Int32Array  # [N, F] symbols at step Q / 3**(level-1)
    scaling: Int32Array  # [N, 6]
    offsets: Int32Array  # [N, K, 3], 0 where the Gaussian is absent
    context: AnchorContext

    def at_level(self, level: int) -> "AnchorCanvas":
        """Return the state as it was at an earlier or the present level >= 1."""
        if level == self.level:
            return self
        count = self.counts[level - 1]
        features, scaling = self.features[:count], self.scaling[:count]
        for _ in range(self.level - level):
            features, scaling = (features + 1) // 3, (scaling + 1) // 3
        mask_level = self.mask_level[:count]
        present = (mask_level > 0) & (mask_level <= level)
        steps = self.context.steps
        return AnchorCanvas(
            level=level,
            counts=self.counts[:level],
            positions=self.positions[:count],
            mask_level=np.where(present, mask_level, 0).astype(np.uint8),
            features=features,
            scaling=scaling,
            offsets=np.where(present[:, :, None], self.offsets[:count], 0),
            context=AnchorContext(
                hash_features=self.context.hash_features[:count],
                steps=AnchorSteps(
                    feature=steps.feature[:count],
                    scaling=steps.scaling[:count],
                    offset=steps.offset[:count],
                ),
            ),
        )

    @property
    def num_gaussians(self) -> int:
        """Gaussians present at this level."""
        return int(np.count_nonzero(self.mask_level))

    def feature_values(self) -> npt.NDArray[np.float64]:
        """Return the dequantized features `[N, F]`."""
        steps = self.context.steps.feature / float(3 ** (self.level - 1))
        return self.features.astype(np.float64) * steps[:, None]

    def scaling_values(self) -> npt.NDArray[np.float64]:
        """Return the dequantized scaling `[N, 6]`, world units, > 0."""
        steps = self.context.steps.scaling / float(3 ** (self.level - 1))
        index: npt.NDArray[np.float64] = np.maximum(self.scaling, SMALLEST_SCALING)
        return index * steps[:, None]

    def digest(self) -> bytes:
        """Return BLAKE2b-64 of the integers (FORMAT.md §7.4)."""
        present = self.mask_level > 0
        state = hashlib.blake2b(digest_size=8)
        for part in (self.positions, self.features, self.scaling, self.offsets[present]):
            state.update(np.ascontiguousarray(part, dtype="<i4").tobytes())
        state.update(np.packbits(present.ravel()).tobytes())
        return state.digest()

    def to_anchors(self, voxel_size: float) -> AnchorSet:
        """Return dequantized attributes."""
        offsets = self.offsets * self.context.steps.offset[:, None, None]
        return AnchorSet(
            level=self.level,
            positions=(self.positions * voxel_size).astype(np.float32),
            features=self.feature_values().astype(np.float32),
            scaling=self.scaling_values().astype(np.float32),
            offsets=offsets.astype(np.float32),
            gaussian_mask=self.mask_level > 0,
        )


def empty_canvas(config: ModelConfig) -> AnchorCanvas:
    """Return the state before level 1."""
    none = np.zeros(0)
    K = config.num_offsets
    return AnchorCanvas(
        level=0,
        counts=(),
        positions=np.zeros((0, 3), dtype=np.int32),
        mask_level=np.zeros((0, K), dtype=np.uint8),
        features=np.zeros((0, config.feature_dim), dtype=np.int32),
        scaling=np.zeros((0, 6), dtype=np.int32),
        offsets=np.zeros((0, K, 3), dtype=np.int32),
        context=AnchorContext(
            hash_features=np.zeros((0, config.hash_grid.output_dim)),
            steps=AnchorSteps(feature=none, scaling=none, offset=none),
        ),
    )
