"""The integers of one level: what training hands to the codec and what decoding returns.

Integer rules (facts §3.4, §3.5). With steps Q (per anchor and attribute kind) an anchor first
decoded at level s has value n * Q / 3**(s-1); refining to the next level replaces n by
3 n + (trit - 1). Offsets keep Q at all levels.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["SMALLEST_SCALING", "LevelSymbols"]

IntArray = npt.NDArray[np.int32]

SMALLEST_SCALING = 0.25
"""A scaling index below this is read as this, in steps: the middle of (0, 1/2), never 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSymbols:
    """Increment of one level. "Old" anchors are those of earlier levels, in coding order.

    New anchors follow the old ones; among themselves they are in the position coder's order.
    """

    level: int  # 1-based
    positions: IntArray  # [N_new, 3] lattice coordinates, world = lattice * voxel_size
    gaussian_mask: npt.NDArray[np.bool_]  # [N_old + N_new, K] state at this level; never shrinks
    features: IntArray  # [N_new, F] first-decode symbols at step Q / 3**(level-1)
    scaling: IntArray  # [N_new, 6], >= 0
    offsets: IntArray
    """`[G_new, 3]` of Gaussians first present at this level, in (anchor, k) order."""
    feature_trits: npt.NDArray[np.uint8]  # [N_old, F] in 0..2
    scaling_trits: npt.NDArray[np.uint8]  # [N_old, 6] in 0..2
