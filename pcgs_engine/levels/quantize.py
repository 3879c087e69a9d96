"""A trained model in, one level as a decoder will see it out: the encoder's side of a level.

Rounds in float32 on the training side, without the file in between, every value refined; tests
hold it against what the decoder reconstructs. It also shows what ablated schedules give.
"""

import torch

from ..config import RateConfig
from ..entropy.coded_model import SMALLEST_SCALING
from ..entropy.context_model import ContextModel
from ..entropy.tables import load_tables
from ..model.masks import gaussian_mask
from ..model.trained_model import TrainedModel
from ..splats.anchor_set import AnchorSet
from .split_levels import integer_context

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
    hash_grid, context = integer_context(model)
    twin = ContextModel(
        config=model.config.model, voxel_size=anchors.voxel_size, hash_grid=hash_grid,
        context=context, tables=load_tables(),
    )  # fmt: skip
    found = twin.anchor_context(anchors.lattice[rows].cpu().numpy()).steps
    feature_steps, scaling_steps, offset_steps = (
        torch.from_numpy(step[:, None]).to(positions)
        for step in (found.feature, found.scaling, found.offset)
    )
    divisor = 3.0 ** (level - 1 if rate.progressive_steps else 0)
    feature_step, scaling_step = feature_steps / divisor, scaling_steps / divisor
    offset_step = offset_steps[:, :, None]
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
