"""How much pictures change with each stored value: a trained model and cameras in.

Gauss-Newton diagonal by random signs: with r = ±1 for every pixel and colour,
E[(d<r, I> / dx)²] is the sum over pixels of (dI / dx)², so one backward pass per view gives an
unbiased estimate for all values at once (Hutchinson's estimator).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..model.attribute_head import AttributeHead
from ..model.derive import derive_gaussians
from ..model.masks import gaussian_mask
from ..model.trained_model import TrainedModel
from ..render.rasterizer import Rasterizer
from ..scene.camera import Camera

__all__ = ["Sensitivity", "measure_sensitivity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """(Change of the mean squared image error) = sensitivity * (change of the value)².

    Anchors in the model's order; 0 where no view sees the anchor.
    """

    feature: npt.NDArray[np.float32]  # [N, F]
    scaling: npt.NDArray[np.float32]  # [N, 6] linear, world units


def measure_sensitivity(
    model: TrainedModel,
    cameras: Sequence[Camera],
    *,
    rasterizer: Rasterizer,
    background: Sequence[float],
    seed: int = 0,
) -> Sensitivity:
    """Estimate from one random sign image per camera; images are not needed.

    Args:
        model: trained; not changed. All Gaussians of its last level are present.
        cameras: of the training views, at least one; every third of 100 is enough.
        rasterizer: who draws.
        background: RGB as in training.
        seed: of the signs; same seed, same result.
    """
    generator = torch.Generator().manual_seed(seed)
    anchors, device = model.anchors, rasterizer.device
    head = model.head.to(device)
    mask = gaussian_mask(anchors.mask_logits, model.config.model.num_levels).to(device)
    values = [anchors.feature.detach(), anchors.scaling.detach()]
    values = [value.to(device) for value in values]
    fixed = (anchors.positions.to(device), anchors.offsets.detach().to(device), mask)
    totals = [torch.zeros_like(value) for value in values]
    colour = torch.tensor(background, dtype=torch.float32, device=device)
    for camera in cameras:
        _add_view(totals, head, values, fixed, camera, rasterizer, colour, generator)
    share = 1.0 / max(len(cameras), 1)
    feature, scaling = ((total * share).cpu().numpy() for total in totals)
    return Sensitivity(feature=feature, scaling=scaling)


def _add_view(
    totals: list[Tensor],
    head: AttributeHead,
    values: list[Tensor],
    fixed: tuple[Tensor, Tensor, Tensor],
    camera: Camera,
    rasterizer: Rasterizer,
    background: Tensor,
    generator: torch.Generator,
) -> None:
    positions, offsets, mask = fixed
    rows = rasterizer.anchors_in_view(camera, positions, values[1], offsets, mask)
    if len(rows) == 0:
        return
    inputs = [value[rows].requires_grad_() for value in values]
    centre = torch.as_tensor(camera.centre, dtype=torch.float32, device=positions.device)
    feature, scaling = inputs
    derived = derive_gaussians(
        head, positions[rows], feature, scaling, offsets[rows], mask[rows], centre,
        pool=getattr(rasterizer, "pool", None),
    )  # fmt: skip
    image = rasterizer.render(derived.gaussians, camera, background=background).image
    signs = torch.randint(0, 2, image.shape, generator=generator) * 2.0 - 1.0
    for total, gradient in zip(
        totals, torch.autograd.grad(image, inputs, signs.to(image)), strict=True
    ):
        total[rows] += gradient.square() / image.numel()
