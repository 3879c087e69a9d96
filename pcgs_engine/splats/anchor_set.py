"""AnchorSet: everything decoded of one level, before Gaussians or splats are derived from it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["AnchorSet"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorSet:
    """`N` anchors of one level with dequantized attributes, in coding order."""

    level: int  # 1-based
    positions: npt.NDArray[np.float32]  # [N, 3] world units
    features: npt.NDArray[np.float32]  # [N, F]
    scaling: npt.NDArray[np.float32]  # [N, 6] linear, world units, > 0
    offsets: npt.NDArray[np.float32]  # [N, K, 3] in units of scaling[:, :3]; 0 where masked
    gaussian_mask: npt.NDArray[np.bool_]  # [N, K]

    def __len__(self) -> int:
        """Return the number of anchors."""
        return len(self.positions)

    @property
    def num_gaussians(self) -> int:
        """How many Gaussians are present at this level."""
        return int(self.gaussian_mask.sum())
