"""A trained model in, one level as a decoder will see it out: the encoder's side of a level.

Rounds in float32 on the training side, without the file in between; tests hold it against what
the decoder reconstructs. Needs no symbols, so that it also shows what ablated schedules give.
"""

import copy

import torch

from ..config import RateConfig
from ..entropy.symbols import SMALLEST_SCALING
from ..model.context_network import ContextNetwork
from ..model.masks import gaussian_mask
from ..model.trained_model import TrainedModel
from ..splats.anchor_set import AnchorSet

__all__ = ["quantize_level"]


@torch.no_grad()
def quantize_level(model: TrainedModel, level: int, rate: RateConfig) -> AnchorSet:
    """Round every attribute of the anchors present at `level` (1-based) to its step there.

    Anchors keep the model's order, which is not the coding order.
    """
    anchors, levels = model.anchors, model.config.model.num_levels
    mask = gaussian_mask(anchors.mask_logits, level if rate.progressive_masks else levels)
    rows = mask.any(dim=1).nonzero(as_tuple=True)[0]
    positions = anchors.positions[rows]
    steps = _as_stored(model.context).steps(model.hash_grid(positions))
    divisor = 3.0 ** (level - 1 if rate.progressive_steps else 0)
    feature_step, scaling_step = steps.feature / divisor, steps.scaling / divisor
    offset_step = steps.offset[:, :, None]
    features = (anchors.feature[rows] / feature_step).round() * feature_step
    scaling = (anchors.scaling[rows] / scaling_step).round().clamp_min(SMALLEST_SCALING)
    scaling = scaling * scaling_step
    offsets = (anchors.offsets[rows] / offset_step).round() * offset_step
    present = mask[rows]
    return AnchorSet(
        level=level,
        positions=positions.cpu().numpy(),
        features=features.cpu().numpy(),
        scaling=scaling.cpu().numpy(),
        offsets=(offsets * present[:, :, None]).cpu().numpy(),
        gaussian_mask=present.cpu().numpy(),
    )


def _as_stored(context: ContextNetwork) -> ContextNetwork:
    """Return a copy with the float16 weights of the file: steps must be the decoder's."""
    stored = copy.deepcopy(context)
    for parameter in stored.parameters():
        parameter.copy_(parameter.half())
    return stored
