"""Training views in random order without replacement, as tensors (facts §1.4)."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..scene.image_store import ImageStore
from ..scene.scene import Scene, View

__all__ = ["TrainingView", "ViewSampler", "evenly", "load_view"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingView:
    """One posed image on the training device."""

    view: View
    image: Tensor  # [H, W, 3] float32, 0..1
    alpha: Tensor | None  # [H, W] float32, 0..1
    valid: Tensor | None  # [H, W] bool


def load_view(store: ImageStore, view: View, device: torch.device) -> TrainingView:
    """Load a view's image.

    Raises:
        SceneError: the image file cannot be read.
    """
    loaded = store.load(view)

    def unit(array: object) -> Tensor:
        return torch.as_tensor(array, device=device).to(torch.float32) / 255.0

    return TrainingView(
        view=view,
        image=unit(loaded.rgb),
        alpha=None if loaded.alpha is None else unit(loaded.alpha),
        valid=None if loaded.valid is None else torch.as_tensor(loaded.valid, device=device),
    )


def evenly(views: Sequence[View], most: int) -> Sequence[View]:
    """Return at most `most` of the views, evenly spaced."""
    return views[:: max(1, -(-len(views) // most))]


class ViewSampler:
    """Draws every training view once before any is drawn again."""

    def __init__(self, scene: Scene, store: ImageStore, device: torch.device) -> None:
        self._views = scene.train_views
        self._store = store
        self._device = device
        self.order = torch.empty(0, dtype=torch.int64)
        """Views still to be drawn in this round; saved in checkpoints."""

    def draw(self, generator: torch.Generator, scale: float = 1.0) -> TrainingView:
        """Return the next view at `scale` of its size; `generator` must live on the CPU."""
        if not len(self.order):
            self.order = torch.randperm(len(self._views), generator=generator)
        index, self.order = int(self.order[0]), self.order[1:]
        return load_view(self._store, _scaled(self._views[index], scale), self._device)


def _scaled(view: View, scale: float) -> View:
    if scale == 1.0:
        return view
    camera = view.camera
    width, height = max(1, round(camera.width * scale)), max(1, round(camera.height * scale))
    return dataclasses.replace(view, camera=camera.resized(width, height))
