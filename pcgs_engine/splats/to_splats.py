"""Decoded anchors to standard splats: the last stage before files, viewport and renderer.

In: an `AnchorSet` and the attribute heads. Out: a `SplatCloud`.

The explicit head sees no view, so its splats are exactly what was trained. The neural head answers
for one camera at a time; a splat must answer for all. Per Gaussian:

- cameras: at most `MAX_CAMERAS` of those given, spread out by farthest-point choice; nearer ones
  weigh more, never more than twice a camera at mean distance;
- opacity: weighted mean of max(0, tanh), so a Gaussian present in half of the views comes out half
  as dense; one that no camera sees is dropped;
- shape: that of the camera closest to the mean direction (an average of directions that surround
  the anchor is no direction the head was trained on);
- colour: degree 2 spherical harmonics fitted to the colours of all cameras, weighted by opacity.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..config import Head, ModelConfig
from . import attribute_heads as heads
from .anchor_set import AnchorSet
from .head_weights import HeadWeights
from .spherical_harmonics import fit, num_coefficients, sh_basis
from .splat_cloud import SplatCloud

__all__ = ["MAX_CAMERAS", "NEURAL_SH_DEGREE", "to_splats"]

FloatArray = npt.NDArray[np.float32]

MAX_CAMERAS = 24
NEURAL_SH_DEGREE = 2

_EXPLICIT_CHUNK = 16_384
_NEURAL_CHUNK = 1_024
"""Anchors worked on at once: bounds memory to about 60 MB at K = 10."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attributes:
    """Everything a head says about the K Gaussians of n anchors."""

    opacities: FloatArray  # [n, K]; dropped where <= 0
    shapes: heads.Shapes
    sh: FloatArray  # [n, K, C, 3]


def to_splats(
    anchors: AnchorSet,
    head: HeadWeights,
    config: ModelConfig,
    camera_centres: FloatArray | npt.NDArray[np.float64],  # [V, 3]
) -> SplatCloud:
    """Derive standard splats from anchors.

    Args:
        anchors: decoded anchors of one level.
        head: attribute head weights that match `config.head`.
        config: the model's shape.
        camera_centres: training camera centres `[V, 3]` in world units. Only the neural head looks
            at them; without any, it is asked from all around at its unit distance.

    Returns:
        The present Gaussians (mask set, opacity > 0) in coding order.
    """
    explicit = config.head is Head.EXPLICIT
    size = _EXPLICIT_CHUNK if explicit else _NEURAL_CHUNK
    cameras = _spread_cameras(np.asarray(camera_centres, dtype=np.float32).reshape(-1, 3))
    degree = config.sh_degree if explicit else NEURAL_SH_DEGREE
    parts = [_empty_cloud(degree)]
    for start in range(0, len(anchors), size):
        part = _slice(anchors, start, start + size)
        if explicit:
            attributes = _explicit_attributes(part, head, config)
        else:
            attributes = _neural_attributes(part, head, cameras)
        parts.append(_present(part, attributes))
    return _joined(parts)


def _slice(anchors: AnchorSet, start: int, stop: int) -> AnchorSet:
    return AnchorSet(
        level=anchors.level,
        positions=anchors.positions[start:stop],
        features=anchors.features[start:stop],
        scaling=anchors.scaling[start:stop],
        offsets=anchors.offsets[start:stop],
        gaussian_mask=anchors.gaussian_mask[start:stop],
    )


def _explicit_attributes(anchors: AnchorSet, head: HeadWeights, config: ModelConfig) -> _Attributes:
    features = anchors.features
    opacity = heads.prepare_feature(features, head.opacity_hidden, head.opacity_out)
    covariance = heads.prepare_feature(features, head.covariance_hidden, head.covariance_out)
    color = heads.prepare_feature(features, head.color_hidden, head.color_out)
    return _Attributes(
        opacities=heads.opacity_values(heads.head_output(opacity)),
        shapes=heads.gaussian_shapes(heads.head_output(covariance), anchors.scaling),
        sh=heads.explicit_colors(heads.head_output(color), config.sh_degree),
    )


def _neural_attributes(anchors: AnchorSet, head: HeadWeights, cameras: FloatArray) -> _Attributes:
    rays = _rays(anchors.positions, cameras, head.distance_unit)  # [n, V, 3]
    distances = np.linalg.norm(rays, axis=-1)
    directions = rays / np.maximum(distances, 1e-9)[..., None]
    mean = distances.mean(axis=1, keepdims=True)
    near = 1.0 / np.maximum(distances**2 + mean**2, 1e-12)
    near /= near.sum(axis=1, keepdims=True)  # [n, V]

    features = anchors.features
    opacity = heads.prepare_feature(features, head.opacity_hidden, head.opacity_out)
    covariance = heads.prepare_feature(features, head.covariance_hidden, head.covariance_out)
    color = heads.prepare_feature(features, head.color_hidden, head.color_out)
    opacities = []
    colors = []
    for index in range(rays.shape[1]):
        view = heads.ViewInputs(
            directions=directions[:, index],
            distances=distances[:, index],
            distance_unit=head.distance_unit,
        )
        values = heads.opacity_values(heads.head_output(opacity, view))
        opacities.append(np.maximum(values, 0.0) * near[:, index, None])
        colors.append(heads.neural_colors(heads.head_output(color, view)))

    middle = np.einsum("nv,nvd->nd", near, directions)
    best = np.einsum("nvd,nd->nv", directions, middle).argmax(axis=1)
    rows = np.arange(len(best))
    view = heads.ViewInputs(
        directions=directions[rows, best],
        distances=distances[rows, best],
        distance_unit=head.distance_unit,
    )
    weights = np.stack(opacities, axis=2)  # [n, K, V]
    return _Attributes(
        opacities=weights.sum(axis=2),
        shapes=heads.gaussian_shapes(heads.head_output(covariance, view), anchors.scaling),
        sh=fit(sh_basis(directions, NEURAL_SH_DEGREE), np.stack(colors, axis=2), weights),
    )


def _rays(positions: FloatArray, cameras: FloatArray, unit: float) -> FloatArray:
    """Vectors from each camera to each anchor, `[n, V, 3]`; made up where there is no camera."""
    if len(cameras):
        return np.asarray(positions[:, None] - cameras[None])
    # A Fibonacci sphere: even directions without a seed.
    height = 1.0 - (2.0 * np.arange(MAX_CAMERAS) + 1.0) / MAX_CAMERAS
    angle = np.pi * (3.0 - np.sqrt(5.0)) * np.arange(MAX_CAMERAS)
    radius = np.sqrt(1.0 - height**2)
    sphere = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)
    shape = (len(positions), MAX_CAMERAS, 3)
    return np.broadcast_to((unit * sphere).astype(np.float32), shape).copy()


def _spread_cameras(centres: FloatArray) -> FloatArray:
    """Choose at most `MAX_CAMERAS` centres that cover the others (farthest-point choice)."""
    if len(centres) <= MAX_CAMERAS:
        return centres
    chosen = [0]
    gap = np.linalg.norm(centres - centres[0], axis=1)
    while len(chosen) < MAX_CAMERAS:
        chosen.append(int(gap.argmax()))
        gap = np.minimum(gap, np.linalg.norm(centres - centres[chosen[-1]], axis=1))
    return np.asarray(centres[sorted(chosen)])


def _present(anchors: AnchorSet, attributes: _Attributes) -> SplatCloud:
    """Keep the Gaussians whose mask is set and whose opacity is positive."""
    keep = anchors.gaussian_mask & (attributes.opacities > 0.0)
    centres = anchors.positions[:, None] + anchors.offsets * anchors.scaling[:, None, :3]
    return SplatCloud(
        means=centres[keep].astype(np.float32, copy=False),
        scales=attributes.shapes.scales[keep],
        quats=attributes.shapes.quats[keep],
        opacities=np.minimum(attributes.opacities[keep], 1.0).astype(np.float32, copy=False),
        sh=attributes.sh[keep].astype(np.float32, copy=False),
    )


def _empty_cloud(degree: int) -> SplatCloud:
    return SplatCloud(
        means=np.zeros((0, 3), np.float32),
        scales=np.ones((0, 3), np.float32),
        quats=np.zeros((0, 4), np.float32),
        opacities=np.zeros(0, np.float32),
        sh=np.zeros((0, num_coefficients(degree), 3), np.float32),
    )


def _joined(parts: list[SplatCloud]) -> SplatCloud:
    return SplatCloud(
        means=np.concatenate([part.means for part in parts]),
        scales=np.concatenate([part.scales for part in parts]),
        quats=np.concatenate([part.quats for part in parts]),
        opacities=np.concatenate([part.opacities for part in parts]),
        sh=np.concatenate([part.sh for part in parts]),
    )
