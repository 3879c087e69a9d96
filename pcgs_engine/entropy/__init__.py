"""Symbols to bits: context model, integer distributions, range coder, positions. Numpy only."""

from .backend import EntropyBackend, best_backend
from .coded_model import CodedAnchors, CodedModel, Ranking
from .context_model import AnchorSteps, ContextModel
from .positions import coding_order
from .weights import Dense, HashGridWeights, HeadWeights, IntegerContext, IntegerNet

__all__ = [
    "AnchorSteps",
    "CodedAnchors",
    "CodedModel",
    "ContextModel",
    "Dense",
    "EntropyBackend",
    "HashGridWeights",
    "HeadWeights",
    "IntegerContext",
    "IntegerNet",
    "Ranking",
    "best_backend",
    "coding_order",
]
