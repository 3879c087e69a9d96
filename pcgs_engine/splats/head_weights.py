"""Weights of the attribute heads, as plain arrays: what `to_splats` needs besides the anchors.

The float trainable twin lives in `model/`; both sides agree on these shapes. F feature channels,
K offsets. Re-exported by `entropy/weights.py`, where the other networks of the file are.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Dense", "HeadWeights"]

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dense:
    """One affine layer: `y = x @ weight.T + bias`."""

    weight: FloatArray  # [out, in]
    bias: FloatArray  # [out]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadWeights:
    """Attribute MLPs (facts §1.2): one ReLU hidden layer each.

    Input: feature [F], and for the neural head also unit view direction [3] (anchor minus camera
    centre) and distance / `distance_unit` [1].
    """

    opacity_hidden: Dense
    opacity_out: Dense  # -> K, tanh; a Gaussian exists where the value is > 0
    covariance_hidden: Dense
    covariance_out: Dense
    """-> 7K, Gaussian-major: scale logits [3], quaternion w x y z [4]."""
    color_hidden: Dense
    color_out: Dense
    """-> 3K (neural: sigmoid gives RGB) or (degree + 1)² 3K (explicit: SH, coefficient-major
    within a Gaussian: [K, (degree + 1)², 3])."""
    distance_unit: float
    """World units by which distances are divided before entering the neural head."""
