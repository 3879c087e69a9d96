"""SplatCloud: decoded, static primitives as files and viewports want them."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["SplatCloud"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SplatCloud:
    """`M` standard 3DGS splats in the scene's world frame, plain (not log or logit) values."""

    means: npt.NDArray[np.float32]  # [M, 3] world units
    scales: npt.NDArray[np.float32]  # [M, 3] standard deviations, world units, > 0
    quats: npt.NDArray[np.float32]  # [M, 4] w x y z, unit length
    opacities: npt.NDArray[np.float32]  # [M] 0..1
    sh: npt.NDArray[np.float32]
    """Spherical harmonics `[M, (degree + 1)², 3]`; colour = clip(0.5 + SH(direction), 0)."""

    @property
    def sh_degree(self) -> int:
        """Degree of the spherical harmonics, 0..3."""
        return math.isqrt(self.sh.shape[1]) - 1

    def __len__(self) -> int:
        """Return the number of splats."""
        return len(self.means)
