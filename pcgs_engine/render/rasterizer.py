"""The one interface all rasterizers implement (docs/design.md D8)."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..model.gaussians import Gaussians
from ..scene.camera import Camera

__all__ = ["Rasterizer", "RenderOutput"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderOutput:
    """One rendered view; every image is differentiable with respect to the Gaussians."""

    image: Tensor  # [H, W, 3] float32, composited on the background
    alpha: Tensor  # [H, W] float32, 0..1
    depth: Tensor | None  # [H, W] float32, expected view depth sum(w z) / max(alpha, 1e-10)
    radii: Tensor  # [M, 2] int32, pixel radii along x and y; 0 = culled
    means2d: Tensor  # [M, 2] float32, pixels; `.grad` is set by backward() when it was wanted

    @property
    def visible(self) -> Tensor:
        """Which Gaussians touched the image, `[M]` bool."""
        return (self.radii > 0).all(dim=-1)


class Rasterizer(Protocol):
    """Draws Gaussians into one pinhole view.

    Constants shared by all backends (facts §1.3): near plane 0.2, covariance
    dilation 0.3 px², alpha = min(0.999, o·exp(-σ)), skipped below 1/255, compositing stops before
    a Gaussian that would take the transmittance to <= 1e-4, pixel centres at .5.
    """

    @property
    def name(self) -> str:
        """Name shown to the user: `cuda`, `cpu` or `reference`."""
        ...

    @property
    def device(self) -> torch.device:
        """Where inputs must live and outputs are returned."""
        ...

    def render(
        self,
        gaussians: Gaussians,
        camera: Camera,
        *,
        background: Tensor | None = None,  # [3] float32; black when None
        with_depth: bool = False,
        track_means2d: bool = False,
    ) -> RenderOutput:
        """Rasterize; with `track_means2d` the output's `means2d.grad` is filled by backward()."""
        ...

    def anchors_in_view(
        self,
        camera: Camera,
        positions: Tensor,  # [N, 3] world units
        scaling: Tensor,  # [N, 6] linear, world units
        offsets: Tensor,  # [N, K, 3]
        mask: Tensor,  # [N, K] bool, Gaussians that exist
    ) -> Tensor:  # [n] int64, ascending
        """Which anchors have a Gaussian that can touch the image, whatever its shape and opacity.

        Scaffold-GS asks about the anchor's own scaling (facts §1.2). Gaussians that reach farther
        are then in no training picture while every viewer draws them: one of them took up to
        5.6 dB from views it stood before (docs/experiments.md). No gradient.
        """
        ...
