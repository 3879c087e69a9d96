"""Weights of the float context networks as arrays: what calibration turns into integers."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..entropy.weights import Dense

__all__ = ["ContextWeights"]

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextWeights:
    """Context model (facts §2.2, §3.2, §3.5). LeakyReLU has slope 0.01.

    `*_gain` rows are the modulation (1 + m_s) of level s, multiplied onto the hidden layer before
    its ReLU: hidden = relu((W1 x + b1) * gain_s). Scalings are in `LENGTH_UNIT_VOXELS` voxels.
    """

    hash_hidden: Dense  # G -> hash_hidden
    hash_gain: FloatArray  # [S, hash_hidden]
    hash_out: Dense
    """-> 3F + 12: feature mean [F], scale [F], mixture logit [F]; scaling mean [6], scale [6]."""
    step_hidden: Dense  # G -> step_hidden, LeakyReLU
    step_out: Dense  # -> 3: a of feature, scaling, offset; Q = Q0 (1 + tanh a)
    offset_hidden: Dense  # G -> offset_hidden, LeakyReLU
    offset_out: Dense  # -> 6K: mean [3K], scale [3K]
    channel_hidden: tuple[Dense, ...]
    """Per chunk i: [i chunk_dim previous values | mean, scale, logit of the hash net: 3F] ->."""
    channel_out: tuple[Dense, ...]  # -> 3 chunk_dim: mean, scale, logit
    feature_trit_hidden: Dense  # [hash G | coarse feature F] -> feature_trit_hidden
    feature_trit_gain: FloatArray  # [S, feature_trit_hidden]; row 0 (level 1) is unused
    feature_trit_out: Dense  # -> 3F logits, channel-major: F x 3
    scaling_trit_hidden: Dense  # [hash G | coarse scaling 6] -> scaling_trit_hidden
    scaling_trit_gain: FloatArray  # [S, scaling_trit_hidden]
    scaling_trit_out: Dense  # -> 6 x 3 logits
