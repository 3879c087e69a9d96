"""Sparse points in, anchors out (facts §1.1)."""

import numpy as np
import numpy.typing as npt
import torch
from scipy.spatial import cKDTree

from ..config import RunConfig
from ..errors import SceneError
from ..scene.scene import Scene
from .anchors import Anchors
from .attribute_head import COLOR_FEATURE_GAIN

__all__ = ["choose_voxel_size", "init_anchors"]

MAX_LATTICE = 1 << 20
"""Lattice coordinates stay within ± this, what the position coder takes."""
SPACING_QUANTILE = 0.98
"""Isolated points are given at most this quantile of the spacings, so none fills the image."""


def choose_voxel_size(scene: Scene, config: RunConfig) -> float:
    """Return the lattice pitch in world units, exactly representable in float32."""
    training = config.training
    pitch = training.voxel_size or training.voxel_fraction * scene.extent
    return float(np.float32(pitch))


def init_anchors(scene: Scene, config: RunConfig) -> Anchors:
    """Put one anchor on every lattice cell that holds sparse points.

    Features 0..2 start with the point's colour (see `AttributeHead`), the rest at 0; scaling is
    the root mean squared distance to the three nearest anchors; offsets are spread at random.

    Raises:
        SceneError: fewer than four points are usable.
    """
    voxel_size = choose_voxel_size(scene, config)
    lattice, colors = _voxelize(scene, config, voxel_size)
    model, count = config.model, len(lattice)
    spacing = _spacing((lattice * voxel_size).astype(np.float64))
    generator = torch.Generator().manual_seed(config.training.seed)
    feature = torch.zeros(count, model.feature_dim)
    channels = min(3, model.feature_dim)
    shade = torch.from_numpy(colors[:, :channels] / 255.0 - 0.5).to(torch.float32)
    feature[:, :channels] = shade * COLOR_FEATURE_GAIN
    offsets = torch.rand(count, model.num_offsets, 3, generator=generator) - 0.5
    log_scaling = torch.from_numpy(np.log(spacing)).to(torch.float32)[:, None].repeat(1, 6)
    return Anchors(
        lattice=torch.from_numpy(lattice),
        voxel_size=voxel_size,
        feature=feature,
        log_scaling=log_scaling,
        offsets=offsets,
        mask_logits=torch.tensor(config.training.rate.initial_mask_logits).repeat(
            count, model.num_offsets, 1
        ),
    )


def _voxelize(
    scene: Scene, config: RunConfig, voxel_size: float
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    points, colors = scene.points, scene.point_colors.astype(np.float64)
    if len(points) > config.training.max_points:
        rng = np.random.default_rng(config.training.seed)
        chosen = rng.choice(len(points), config.training.max_points, replace=False)
        points, colors = points[chosen], colors[chosen]
    cells = np.round(points.astype(np.float64) / voxel_size)
    inside = np.isfinite(cells).all(axis=1) & (np.abs(cells) < MAX_LATTICE).all(axis=1)
    lattice, first = np.unique(cells[inside].astype(np.int32), axis=0, return_index=True)
    if len(lattice) < 4:
        raise SceneError(
            f"{scene.path}: {len(lattice)} usable sparse points on a lattice of {voxel_size:g}, "
            "wanted at least 4; use a finer voxel_size or more points"
        )
    return lattice, colors[inside][first]


def _spacing(positions: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Root mean squared distance to the three nearest neighbours, `[N]`."""
    distances, _ = cKDTree(positions).query(positions, k=4, workers=1)
    squared = np.square(distances[:, 1:]).mean(axis=1)
    spacing = np.sqrt(np.maximum(squared, 1e-7 * squared.mean()))
    return np.asarray(np.minimum(spacing, np.quantile(spacing, SPACING_QUANTILE)))
