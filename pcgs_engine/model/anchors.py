"""Anchors: the trainable carriers of Gaussians on an integer lattice (facts §1.1)."""

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["ANCHOR_PARAMETERS", "Anchors"]

ANCHOR_PARAMETERS = ("feature", "log_scaling", "offsets", "mask_logits")
"""Trainable tensors of `Anchors`, one optimizer group each."""


@dataclass(slots=True, kw_only=True)
class Anchors:
    """`N` anchors; positions never move, everything else is trained."""

    lattice: Tensor  # [N, 3] int32, world = lattice * voxel_size
    voxel_size: float
    feature: Tensor  # [N, F] float32
    log_scaling: Tensor  # [N, 6] float32, log of world units
    offsets: Tensor  # [N, K, 3] float32
    mask_logits: Tensor  # [N, K, S] float32

    def __len__(self) -> int:
        """Return the number of anchors."""
        return len(self.lattice)

    @property
    def positions(self) -> Tensor:
        """World positions `[N, 3]` float32, exactly as a decoder computes them."""
        return self.lattice.to(torch.float32) * self.voxel_size

    @property
    def scaling(self) -> Tensor:
        """Linear scaling `[N, 6]` in world units."""
        return self.log_scaling.exp()
