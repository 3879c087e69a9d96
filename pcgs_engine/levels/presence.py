"""Presence: how much pictures change where a Gaussian vanishes; a model and cameras in.

To first order in opacities, with r = ±1 for every pixel and colour: E[(o d<r, I> / do)²] is the
sum over pixels of the change's square, so one backward pass per view gives an unbiased estimate
for all Gaussians at once (Hutchinson's estimator, as in `sensitivity`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..model.derive import derive_gaussians
from ..model.trained_model import TrainedModel
from ..render.rasterizer import Rasterizer
from ..scene.camera import Camera

__all__ = ["Removals", "draw_removals", "measure_presence"]

SIGN_IMAGES = 3
"""Random sign images per camera: one alone is noisy enough to cost level 1 0.1 dB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Removals:
    """One picture and what it would lose with each Gaussian in it."""

    image: Tensor  # [H, W, 3]
    slots: Tensor  # [M] int64, anchor * K + k of every Gaussian in it
    changes: Tensor  # [samples, M] sum over pixels of change times random sign


def draw_removals(
    model: TrainedModel,
    camera: Camera,
    mask: Tensor,  # [N, K] bool
    *,
    samples: int,
    rasterizer: Rasterizer,
    background: Tensor,  # [3]
    generator: torch.Generator,
) -> Removals:
    """Draw the Gaussians of `mask` as in training and sample what each one's removal changes."""
    anchors, device = model.anchors, rasterizer.device
    positions = anchors.positions.to(device)
    feature, scaling, offsets = (
        v.detach().to(device) for v in (anchors.feature, anchors.scaling, anchors.offsets)
    )
    mask = mask.to(device)
    rows = rasterizer.anchors_in_view(camera, positions, scaling, offsets, mask)
    centre = torch.as_tensor(camera.centre, dtype=torch.float32, device=device)
    derived = derive_gaussians(
        model.head.to(device), positions[rows], feature[rows], scaling[rows], offsets[rows],
        mask[rows], centre, pool=getattr(rasterizer, "pool", None),
    )  # fmt: skip
    opacities = derived.gaussians.opacities
    image = rasterizer.render(derived.gaussians, camera, background=background).image
    changes = []
    for _ in range(samples if len(opacities) else 0):
        signs = torch.randint(0, 2, image.shape, generator=generator) * 2.0 - 1.0
        (gradient,) = torch.autograd.grad(image, opacities, signs.to(image), retain_graph=True)
        changes.append(gradient * opacities.detach())
    width = mask.shape[1]
    owner = rows[torch.div(derived.slots, width, rounding_mode="floor")]
    return Removals(
        image=image.detach(),
        slots=owner * width + derived.slots % width,
        changes=torch.stack(changes) if changes else image.new_zeros((samples, 0)),
    )


def measure_presence(
    model: TrainedModel,
    cameras: Sequence[Camera],
    mask: Tensor,  # [N, K] bool
    *,
    rasterizer: Rasterizer,
    background: Sequence[float],
    generator: torch.Generator,
) -> npt.NDArray[np.float32]:  # [N]
    """Estimate how much the mean squared image error changes where a whole anchor vanishes.

    0 for anchors that are absent or that no camera sees.
    """
    device, width = rasterizer.device, mask.shape[1]
    colour = torch.tensor(background, dtype=torch.float32, device=device)
    total = torch.zeros(len(mask), device=device)
    for camera in cameras:
        found = draw_removals(
            model, camera, mask, samples=SIGN_IMAGES, rasterizer=rasterizer, background=colour,
            generator=generator,
        )  # fmt: skip
        anchor = torch.div(found.slots, width, rounding_mode="floor")
        for change in found.changes:
            together = torch.zeros_like(total).index_add_(0, anchor, change)
            total += together.square() / found.image.numel()
    draws = max(len(cameras), 1) * SIGN_IMAGES
    presence: npt.NDArray[np.float32] = (total / draws).cpu().numpy()
    return presence
