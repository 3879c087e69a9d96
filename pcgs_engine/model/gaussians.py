"""Gaussians: the primitives derived from anchors for one view, ready to rasterize."""

from dataclasses import dataclass

from torch import Tensor

__all__ = ["Gaussians"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaussians:
    """`M` primitives in world space with final colours for one camera."""

    means: Tensor  # [M, 3] float32, world units
    quats: Tensor  # [M, 4] float32, w x y z, need not be unit length
    scales: Tensor  # [M, 3] float32, standard deviations in world units, > 0
    opacities: Tensor  # [M] float32, 0..1
    colors: Tensor  # [M, 3] float32, sRGB as in the images, >= 0
