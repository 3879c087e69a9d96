"""CodedModel: everything `codec.encode` needs, torch-free; made by `levels.split_levels`."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..config import ModelConfig
from .symbols import LevelSymbols
from .weights import ContextWeights, HashGridWeights, HeadWeights

__all__ = ["CodedModel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedModel:
    """Integers per level and the networks that predict and render them."""

    config: ModelConfig
    voxel_size: float
    """Lattice pitch in world units, exactly representable in float32."""
    hash_grid: HashGridWeights
    context: ContextWeights
    head: HeadWeights
    camera_centres: npt.NDArray[np.float32]
    """Training camera centres `[V, 3]`, world units: `to_splats` of a neural head needs them."""
    levels: tuple[LevelSymbols, ...]
