"""TrainedModel: what training returns and `levels.split_levels` takes apart."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..config import RunConfig
from .anchors import Anchors
from .attribute_head import AttributeHead
from .context_network import ContextNetwork
from .hash_grid import HashGrid

__all__ = ["TrainedModel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """All trained tensors and the settings they were trained with."""

    config: RunConfig
    anchors: Anchors
    head: AttributeHead
    hash_grid: HashGrid
    context: ContextNetwork
    camera_centres: npt.NDArray[np.float32]  # [V, 3] training camera centres, world units
