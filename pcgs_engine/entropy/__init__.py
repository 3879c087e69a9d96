"""Symbols to bits: context model, integer distributions, range coder, positions. Numpy only."""

from .backend import EntropyBackend, best_backend
from .coded_model import CodedModel
from .context_model import AnchorSteps, ContextModel
from .positions import coding_order
from .symbols import LevelSymbols
from .weights import ContextWeights, Dense, HashGridWeights, HeadWeights

__all__ = [
    "AnchorSteps",
    "CodedModel",
    "ContextModel",
    "ContextWeights",
    "Dense",
    "EntropyBackend",
    "HashGridWeights",
    "HeadWeights",
    "LevelSymbols",
    "best_backend",
    "coding_order",
]
