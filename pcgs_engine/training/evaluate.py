"""Decoded anchors and posed images in, rendered views and their PSNR and SSIM out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..model.attribute_head import AttributeHead
from ..model.derive import derive_gaussians
from ..render.metrics import psnr, ssim
from ..render.rasterizer import Rasterizer
from ..scene.camera import Camera
from ..scene.image_store import ImageStore
from ..scene.scene import View
from ..splats.anchor_set import AnchorSet
from .view_sampler import load_view

__all__ = ["LevelQuality", "LevelRenderer", "ViewQuality", "evaluate_level"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewQuality:
    """How close one rendered view is to its image."""

    name: str
    psnr: float
    """dB over the valid pixels."""
    ssim: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelQuality:
    """Means over all views of one level, and the views themselves."""

    level: int
    psnr: float
    ssim: float
    views: tuple[ViewQuality, ...]


class LevelRenderer:
    """Renders one level from any camera; the anchors go to the device once.

    The head itself is evaluated for every view, so a neural file is seen as trained, not through
    the approximation of `to_splats`.
    """

    def __init__(
        self,
        anchors: AnchorSet,
        head: AttributeHead,
        *,
        rasterizer: Rasterizer,
        background: Sequence[float],
    ) -> None:
        device = rasterizer.device
        self.level = anchors.level
        self._rasterizer = rasterizer
        self._head = head.to(device)
        self._background = torch.tensor(background, dtype=torch.float32, device=device)
        self._positions = torch.as_tensor(anchors.positions, device=device)
        self._features = torch.as_tensor(anchors.features, device=device)
        self._scaling = torch.as_tensor(anchors.scaling, device=device)
        self._offsets = torch.as_tensor(anchors.offsets, device=device)
        self._mask = torch.as_tensor(anchors.gaussian_mask, device=device)

    @torch.no_grad()
    def render(self, camera: Camera) -> Tensor:
        """Return the image `[H, W, 3] float32` in 0..1 on the rasterizer's device."""
        centre = torch.as_tensor(camera.centre, dtype=torch.float32, device=self._positions.device)
        derived = derive_gaussians(
            self._head,
            self._positions,
            self._features,
            self._scaling,
            self._offsets,
            self._mask,
            centre,
        )
        output = self._rasterizer.render(derived.gaussians, camera, background=self._background)
        return output.image.clamp(0.0, 1.0)


def evaluate_level(
    renderer: LevelRenderer,
    views: Sequence[View],
    store: ImageStore,
    *,
    on_view: Callable[[ViewQuality], None] = lambda quality: None,
) -> LevelQuality:
    """Compare every view with its image.

    Args:
        renderer: the level to judge.
        views: usually the held-out ones; at least one.
        store: where the images come from; its background must be the renderer's.
        on_view: called after each view.

    Raises:
        SceneError: an image cannot be read.
    """
    found = []
    for view in views:
        image = renderer.render(view.camera)
        target = load_view(store, view, image.device)
        quality = ViewQuality(
            name=view.name,
            psnr=float(psnr(image, target.image, target.valid)),
            ssim=float(ssim(image, target.image, target.valid)),
        )
        on_view(quality)
        found.append(quality)
    return LevelQuality(
        level=renderer.level,
        psnr=float(np.mean([quality.psnr for quality in found])),
        ssim=float(np.mean([quality.ssim for quality in found])),
        views=tuple(found),
    )
