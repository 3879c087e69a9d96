"""The attribute heads in numpy: anchor features to opacity, shape and colour of Gaussians.

In: dequantized features and the heads' weights. Out: float32 arrays. Twin of the trainable heads
in `model/`; the rules are docs/design.md, "Heads". Values need not be bit-exact across machines:
nothing is decoded after them.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .head_weights import Dense

__all__ = [
    "DenseFeature",
    "Shapes",
    "ViewInputs",
    "explicit_colors",
    "gaussian_shapes",
    "head_output",
    "neural_colors",
    "opacity_values",
    "prepare_feature",
]

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseFeature:
    """Hidden layer of one head before the view enters: computed once, used for every camera."""

    hidden: FloatArray  # [n, H]
    view_weight: FloatArray  # [H, 0] explicit or [H, 4] neural
    out: Dense


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewInputs:
    """What the neural head sees of one camera per anchor."""

    directions: FloatArray  # [n, 3] unit, anchor minus camera centre
    distances: FloatArray  # [n] world units
    distance_unit: float

    def columns(self) -> FloatArray:
        """Return the head's inputs after the feature, `[n, 4] float32`."""
        scaled = self.distances / np.float32(self.distance_unit)
        return np.concatenate([self.directions, scaled[:, None]], axis=1, dtype=np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shapes:
    """Scales and rotations of the K Gaussians of n anchors."""

    scales: FloatArray  # [n, K, 3] world units, > 0
    quats: FloatArray  # [n, K, 4] w x y z, unit length


def _sigmoid(x: FloatArray) -> FloatArray:
    # Beyond 80 float32 saturates anyway; the clip keeps exp from overflowing.
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -80.0, 80.0))), dtype=np.float32)


def prepare_feature(
    features: FloatArray,  # [n, F]
    hidden: Dense,
    out: Dense,
) -> DenseFeature:
    """Apply the feature's columns of a head's hidden layer."""
    F = features.shape[1]
    base = features @ hidden.weight[:, :F].T + hidden.bias
    return DenseFeature(hidden=base, view_weight=hidden.weight[:, F:], out=out)


def head_output(head: DenseFeature, view: ViewInputs | None = None) -> FloatArray:
    """Return the raw output of one head, `[n, out] float32`; the neural head needs a `view`."""
    hidden = head.hidden
    if view is not None:
        hidden = hidden + view.columns() @ head.view_weight.T
    return np.asarray(np.maximum(hidden, 0.0) @ head.out.weight.T + head.out.bias)


def opacity_values(raw: FloatArray) -> FloatArray:
    """Return tanh of the raw outputs `[n, K]`; a Gaussian exists where the value is > 0."""
    return np.tanh(raw)


def gaussian_shapes(
    raw: FloatArray,  # [n, 7K]
    scaling: FloatArray,  # [n, 6]
) -> Shapes:
    """Turn covariance outputs into scales and unit quaternions.

    Args:
        raw: output of the covariance head, Gaussian-major, `[n, 7K] float32`.
        scaling: the anchors' scaling `[n, 6] float32`, world units; columns 3..5 count here.
    """
    covariance = raw.reshape(len(raw), -1, 7)
    scales = scaling[:, None, 3:6] * _sigmoid(covariance[..., :3])
    quats = covariance[..., 3:] + np.array([1.0, 0.0, 0.0, 0.0], dtype=np.float32)
    norm = np.linalg.norm(quats, axis=-1, keepdims=True)
    identity = np.array([1.0, 0.0, 0.0, 0.0], dtype=np.float32)
    quats = np.where(norm > 1e-12, quats / np.maximum(norm, 1e-12), identity)
    tiny = np.finfo(np.float32).tiny
    return Shapes(
        scales=np.maximum(scales, tiny).astype(np.float32), quats=quats.astype(np.float32)
    )


def explicit_colors(raw: FloatArray, sh_degree: int) -> FloatArray:
    """Return SH coefficients `[n, K, (sh_degree + 1)², 3]` of the explicit head's raw output."""
    return raw.reshape(len(raw), -1, (sh_degree + 1) ** 2, 3)


def neural_colors(raw: FloatArray) -> FloatArray:
    """Return RGB `[n, K, 3]` in 0..1 of the neural head's raw output."""
    return _sigmoid(raw).reshape(len(raw), -1, 3)
