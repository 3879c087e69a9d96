"""What a host shows while training runs: held-out PSNR, a rendered view and the splats so far."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..atomic_file import write_atomically
from ..model.masks import gaussian_mask
from ..render.metrics import psnr
from ..scene.image_store import ImageStore
from ..scene.scene import View
from ..splats.anchor_set import AnchorSet
from ..splats.ply import write_ply
from ..splats.to_splats import to_splats
from .evaluate import LevelRenderer
from .trainer import Trainer
from .view_sampler import evenly, load_view

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
    """Mean PSNR in dB over up to eight held-out views (one at least), last level, not rounded."""
    chosen = evenly(views, MAX_EVALUATED_VIEWS)
    renderer = _renderer(trainer)
    values = []
    for view in chosen:
        target = load_view(store, view, trainer.device)
        values.append(float(psnr(renderer.render(view.camera), target.image, target.valid)))
    return float(np.mean(values))


def write_preview(trainer: Trainer, view: View, run: Path) -> PreviewFiles:
    """Write `previews/latest.png` and `previews/latest.ply`, replacing the last ones.

    Raises:
        OutputError: the folder does not take the files.
    """
    folder = run / PREVIEW_FOLDER
    rendered = _renderer(trainer).render(view.camera)
    image = (rendered * 255.0).round().to(torch.uint8).cpu().numpy()
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


def _renderer(trainer: Trainer) -> LevelRenderer:
    return LevelRenderer(
        _anchor_set(trainer),
        trainer.head,
        rasterizer=trainer.rasterizer,
        background=trainer.background.tolist(),
    )


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
