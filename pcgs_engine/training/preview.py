"""What a host shows while training runs: held-out PSNR, a rendered view and the splats so far."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..atomic_file import write_atomically
from ..model.derive import derive_gaussians
from ..model.masks import gaussian_mask
from ..scene.image_store import ImageStore
from ..scene.scene import View
from ..splats.anchor_set import AnchorSet
from ..splats.ply import write_ply
from ..splats.to_splats import to_splats
from .trainer import Trainer
from .view_sampler import load_view

__all__ = ["PREVIEW_FOLDER", "PreviewFiles", "held_out_psnr", "write_preview"]

PREVIEW_FOLDER = "previews"
MAX_EVALUATED_VIEWS = 8
"""Held-out views rendered for the periodic PSNR, evenly spaced over all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewFiles:
    """Files of one preview."""

    image: Path
    splats: Path


def held_out_psnr(trainer: Trainer, views: tuple[View, ...], store: ImageStore) -> float:
    """Mean PSNR in dB over up to eight held-out views at the last level, not yet quantized."""
    chosen = views[:: max(1, -(-len(views) // MAX_EVALUATED_VIEWS))]
    values = []
    for view in chosen:
        target = load_view(store, view, trainer.device)
        error = (_render(trainer, view).clamp(0, 1) - target.image).square()
        if target.valid is not None:
            error = error[target.valid]
        values.append(-10.0 * float(torch.log10(error.mean().clamp_min(1e-10))))
    return float(np.mean(values)) if values else float("nan")


def write_preview(trainer: Trainer, view: View, run: Path) -> PreviewFiles:
    """Write `previews/latest.png` and `previews/latest.ply`, replacing the last ones.

    Raises:
        OutputError: the folder does not take the files.
    """
    folder = run / PREVIEW_FOLDER
    image = (_render(trainer, view).clamp(0, 1) * 255.0).round().to(torch.uint8).cpu().numpy()
    files = PreviewFiles(image=folder / "latest.png", splats=folder / "latest.ply")
    write_atomically(files.image, lambda file: Image.fromarray(image).save(file, "PNG"))
    cloud = to_splats(
        _anchor_set(trainer),
        trainer.head.weights(),
        trainer.config.model,
        trainer.camera_centres,
    )
    write_ply(files.splats, cloud)
    return files


@torch.no_grad()
def _render(trainer: Trainer, view: View) -> Tensor:
    anchors, levels = trainer.anchors, trainer.config.model.num_levels
    mask = gaussian_mask(anchors.mask_logits, levels)
    rows = mask.any(dim=1).nonzero(as_tuple=True)[0]
    centre = torch.as_tensor(view.camera.centre, dtype=torch.float32, device=trainer.device)
    derived = derive_gaussians(
        trainer.head,
        anchors.positions[rows],
        anchors.feature[rows],
        anchors.scaling[rows],
        anchors.offsets[rows],
        mask[rows],
        centre,
    )
    output = trainer.rasterizer.render(
        derived.gaussians, view.camera, background=trainer.background
    )
    return output.image


@torch.no_grad()
def _anchor_set(trainer: Trainer) -> AnchorSet:
    anchors, levels = trainer.anchors, trainer.config.model.num_levels
    mask = gaussian_mask(anchors.mask_logits, levels)
    rows = mask.any(dim=1)
    return AnchorSet(
        level=levels,
        positions=anchors.positions[rows].cpu().numpy(),
        features=anchors.feature[rows].cpu().numpy(),
        scaling=anchors.scaling[rows].cpu().numpy(),
        offsets=anchors.offsets[rows].cpu().numpy(),
        gaussian_mask=mask[rows].cpu().numpy(),
    )
