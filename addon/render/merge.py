"""Splats into the picture of the scene's own engine: arrays in, one layer to put over it out.

Per pixel, with `F` the splats before the nearest surface, `B` those behind it, `a` how much of the
pixel that surface covers, `E` the world's part of the base (all premultiplied, scene linear):

    result = F + (1 - F.a) (base + (1 - a) B - B.a E)

so that splats shine through the antialiased edges of a mesh instead of the world. The layer `L` is
what gives this result when it is put over the base: `L + (1 - L.a) base`. No bpy in this file.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .base_picture import BasePicture

__all__ = ["FitColors", "Occluder", "merge", "occluder_of", "srgb_to_linear", "to_linear"]

Floats = npt.NDArray[np.float32]
FitColors = Callable[[Floats], Floats]

EPS = np.float32(1e-5)
SOLID = np.float32(0.999)
"""Coverage from here on counts as whole."""
EDGE_PIXELS = 8
"""How far beyond the pixels with a depth a surface may reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occluder:
    """What hides splats."""

    depth: Floats
    """`[H, W]`, infinite where nothing does."""
    coverage: Floats
    """`[H, W]`, 0..1: how much of a pixel the surface at that depth covers."""

    @property
    def has_edges(self) -> bool:
        """Whether some pixel is only partly covered."""
        return bool(((self.coverage > EPS) & (self.coverage < SOLID)).any())


def occluder_of(base: BasePicture, *, transparent_film: bool) -> Occluder:
    """Return what the base picture hides.

    A depth pass holds one sample a pixel, colours many: where the sample missed a surface that
    covers part of the pixel, the depth of a neighbour stands in.
    """
    coverage = _coverage(base, transparent_film=transparent_film)
    depth = base.depth
    # More than one step is for edges that are blurred by focus or motion.
    for _ in range(EDGE_PIXELS):
        missed = (coverage > EPS) & ~np.isfinite(depth)
        if not missed.any():
            break
        depth = np.where(missed, _over_neighbours(depth, np.minimum), depth)
    return Occluder(depth=depth, coverage=coverage)


def merge(
    front: Floats,  # [H, W, 4]
    whole: Floats,  # [H, W, 4]
    base: BasePicture,
    occluder: Occluder,
    *,
    transparent_film: bool,
    fit: FitColors | None = None,
) -> Floats:  # [H, W, 4]
    """Return the layer to put over the base picture, premultiplied, scene linear.

    Args:
        front: splats before the occluder, premultiplied sRGB values.
        whole: all splats; only its values at the occluder's edges matter.
        base: what the scene's engine rendered.
        occluder: made of that.
        transparent_film: whether the base's alpha counts.
        fit: see `to_linear`.
    """
    layer = to_linear(front, fit)
    covered = occluder.coverage
    edge = (covered > EPS) & (covered < SOLID)
    if not edge.any():
        return layer
    near, far = layer[edge], to_linear(_behind(front[edge], whole[edge]), fit)
    open_share = (1.0 - covered[edge])[:, None]
    below = base.color[edge]
    light = below[:, :3] + open_share * far[:, :3]
    if base.environment is not None and not transparent_film:
        light -= far[:, 3:] * base.environment[edge]
    wanted = near[:, :3] + (1.0 - near[:, 3:]) * light
    alpha = near[:, 3:]
    if transparent_film:
        # The layer's alpha that lets the splats behind fill the rest of the pixel's alpha.
        alpha = alpha + (1.0 - alpha) * far[:, 3:]
    layer[edge] = np.concatenate([wanted - (1.0 - alpha) * below[:, :3], alpha], axis=1)
    return layer


def to_linear(
    picture: Floats,  # [..., 4]
    fit: FitColors | None = None,
) -> Floats:  # [..., 4]
    """Return premultiplied scene linear values of premultiplied sRGB ones (as splats are blended).

    Args:
        picture: splats.
        fit: applied to the colours (straight sRGB values `[M, 3]`): what the view can show.
    """
    linear = np.zeros_like(picture, dtype=np.float32)
    seen = picture[..., 3] > 0.0
    alpha = picture[seen][:, 3:]
    straight = picture[seen][:, :3] / np.maximum(alpha, EPS)
    straight = straight if fit is None else fit(straight)
    linear[seen] = np.concatenate([srgb_to_linear(straight) * alpha, alpha], axis=1)
    return linear


def srgb_to_linear(values: Floats) -> Floats:
    """IEC 61966-2-1, continued above 1; negative values become 0."""
    values = np.maximum(values, np.float32(0.0))
    low = values / np.float32(12.92)
    high = ((values + np.float32(0.055)) / np.float32(1.055)) ** np.float32(2.4)
    return np.where(values <= np.float32(0.04045), low, high)


def _behind(front: Floats, whole: Floats) -> Floats:
    """What is left of `whole` behind `front`: whole = front over behind, sRGB values."""
    rest = np.maximum(1.0 - front[..., 3:], EPS)
    behind = np.clip((whole - front) / rest, 0.0, None)
    behind[..., 3] = np.minimum(behind[..., 3], 1.0)
    behind[front[..., 3] > 1.0 - EPS] = 0.0
    return behind


def _coverage(base: BasePicture, *, transparent_film: bool) -> Floats:
    solid = np.isfinite(base.depth).astype(np.float32)
    if transparent_film:
        return np.clip(base.color[..., 3], 0.0, 1.0)
    if base.environment is None:
        return solid
    world = base.environment.sum(axis=-1)
    around = _over_neighbours(_over_neighbours(world, np.maximum), np.maximum)
    # Where the world is black, or far from any edge, the depth alone must tell.
    known = around > EPS
    share = 1.0 - world / np.where(known, around, 1.0)
    near_edge = _over_neighbours(solid, np.maximum) > _over_neighbours(solid, np.minimum)
    return np.where(known & near_edge, np.clip(share, 0.0, 1.0), solid).astype(np.float32)


def _over_neighbours(plane: Floats, combine: Callable[[Floats, Floats], Floats]) -> Floats:
    """Combine every pixel `[H, W]` with its eight neighbours."""
    padded = np.pad(plane, 1, mode="edge")
    across = combine(combine(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
    return combine(combine(across[:-2], across[1:-1]), across[2:])
