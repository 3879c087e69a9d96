"""CodedModel: everything `codec.encode` needs, torch-free; made by `levels.split_levels`."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..config import ModelConfig
from .mask_law import MaskNet
from .weights import HashGridWeights, IntegerContext, QuantizedHead

__all__ = ["SMALLEST_SCALING", "CodedAnchors", "CodedModel", "Ranking"]

IntArray = npt.NDArray[np.int32]

SMALLEST_SCALING = 0.25
"""A scaling index below this is read as this, in steps: the middle of (0, 1/2), never 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedAnchors:
    """All anchors, by first level and within a level in `coding_order`, at their finest.

    With steps Q (per anchor and attribute kind) a value is n * Q / 3**(S-1). The symbol at a
    coarser depth d is n after S - 1 - d times `floor((n + 1) / 3)`, which undoes the refinement
    n -> 3 n + trit - 1 exactly (facts §3.4, §3.5). Offsets keep Q at all levels.
    """

    first_level: npt.NDArray[np.uint8]  # [N] 1..S, rising
    positions: IntArray  # [N, 3] lattice coordinates, world = lattice * voxel_size
    mask_level: npt.NDArray[np.uint8]  # [N, K] level at which a Gaussian appears, 0 = never
    features: IntArray  # [N, F] at depth S - 1
    scaling: IntArray  # [N, 6] at depth S - 1, >= 0
    offsets: IntArray  # [N, K, 3]; read where mask_level > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """How much refinements are worth: decides their order, never what they decode to.

    The group of an anchor is `(first_level - 1) * ranks + rank`.
    """

    ranks: int  # 1..16
    rank: npt.NDArray[np.uint8]  # [N] 0..ranks-1
    gain: npt.NDArray[np.float64]
    """`[S * ranks, F + 6, S - 1]`: fall of the squared image error when a group's channel goes
    from depth d to d + 1; features, then scaling. Any unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedModel:
    """Integers at their finest and the networks that predict and render them."""

    config: ModelConfig
    voxel_size: float
    """Lattice pitch in world units, exactly representable in float32."""
    hash_grid: HashGridWeights
    context: IntegerContext
    head: QuantizedHead
    camera_centres: npt.NDArray[np.float32]
    """Training camera centres `[V, 3]`, world units: `to_splats` of a neural head needs them."""
    anchors: CodedAnchors
    ranking: Ranking
    mask_net: MaskNet | None
    """Law of level 1's masks; None: static probabilities."""
