"""Sparse points for sets that come without: triangulated features, else random points."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .camera import Camera
from .feature_points import triangulate_features
from .image_store import ImageStore
from .scene import View

__all__ = ["SeedPoints", "make_points", "random_box"]

MIN_FEATURE_POINTS = 500
"""With fewer triangulated points, random ones are added."""
RANDOM_POINTS = 20_000
"""Points in all where random ones are added."""
HALF_SIZE = 0.33
"""Half box side over mean camera distance: ±1.3 at radius 4 as for the NeRF synthetic sets."""
_GREY = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedPoints:
    """Made-up points."""

    positions: npt.NDArray[np.float32]
    """`[P, 3]`, world coordinates."""
    colors: npt.NDArray[np.uint8]
    """`[P, 3]`, sRGB; random points are grey."""
    note: str
    """What was made, for the user."""


def make_points(views: Sequence[View], store: ImageStore, *, seed: int) -> SeedPoints:
    """Return points for a set that has none.

    Args:
        views: training views, at least one.
        store: where their pixels come from.
        seed: for the random points.

    Raises:
        SceneError: an image cannot be read.
    """
    found = triangulate_features(views, store)
    count = len(found.positions)
    if count >= MIN_FEATURE_POINTS:
        note = f"the set has no sparse points: {count} were triangulated from image features"
        return SeedPoints(positions=found.positions, colors=found.colors, note=note)
    centre, half = random_box([view.camera for view in views])
    missing = RANDOM_POINTS - count
    offsets = np.random.default_rng(seed).uniform(-half, half, (missing, 3))
    note = (
        f"the set has no sparse points: {count} were triangulated from image features, {missing} "
        f"are random in a box of side {2 * half:.3g} where the cameras look"
    )
    return SeedPoints(
        positions=np.concatenate([found.positions, (centre + offsets).astype(np.float32)]),
        colors=np.concatenate([found.colors, np.full((missing, 3), _GREY, dtype=np.uint8)]),
        note=note,
    )


def random_box(cameras: Sequence[Camera]) -> tuple[npt.NDArray[np.float64], float]:
    """Return centre `[3]` and half side of a cube that the cameras look at.

    The centre is the point closest to all optical axes. Where the axes are (nearly) parallel or
    that point is not in front of most cameras, the cube surrounds the cameras instead.
    """
    centres = np.stack([camera.centre for camera in cameras])
    axes = np.stack([camera.world_to_camera[2, :3] for camera in cameras])
    across = np.eye(3) - axes[:, :, None] * axes[:, None, :]
    system = across.sum(axis=0)
    if np.linalg.eigvalsh(system)[0] > 1e-3 * len(cameras):
        target = np.linalg.solve(system, (across @ centres[:, :, None]).sum(axis=0)[:, 0])
        depths = ((target - centres) * axes).sum(axis=1)
        distance = float(np.linalg.norm(target - centres, axis=1).mean())
        if float(np.median(depths)) > 0.5 * distance:
            return target, HALF_SIZE * distance
    middle = centres.mean(axis=0)
    spread = float(np.linalg.norm(centres - middle, axis=1).max()) or 1.0
    return middle + 2 * spread * axes.mean(axis=0), 2 * spread
