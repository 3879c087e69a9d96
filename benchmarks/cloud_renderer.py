"""CloudRenderer: plain 3DGS splats and a camera in, their picture out, as any viewer draws it."""

from collections.abc import Sequence

import numpy as np
import torch

from pcgs_engine.model.gaussians import Gaussians
from pcgs_engine.model.spherical_harmonics import sh_colors
from pcgs_engine.render.rasterizer import Rasterizer
from pcgs_engine.scene.camera import Camera
from pcgs_engine.splats import SplatCloud

__all__ = ["CloudRenderer"]


class CloudRenderer:
    """Renders one cloud from any camera; what `evaluate_level` wants of a renderer."""

    def __init__(
        self,
        cloud: SplatCloud,
        *,
        rasterizer: Rasterizer,
        background: Sequence[float],
        level: int = 1,
    ) -> None:
        device = rasterizer.device
        self.level = level
        self._rasterizer = rasterizer
        self._background = torch.tensor(background, dtype=torch.float32, device=device)
        self._means, self._quats, self._scales, self._opacities, self._sh = (
            torch.from_numpy(array).to(device)
            for array in (cloud.means, cloud.quats, cloud.scales, cloud.opacities, cloud.sh)
        )

    @torch.no_grad()
    def render(self, camera: Camera) -> torch.Tensor:
        """Return the image `[H, W, 3] float32` in 0..1."""
        centre = torch.from_numpy(camera.centre.astype(np.float32)).to(self._means.device)
        gaussians = Gaussians(
            means=self._means,
            quats=self._quats,
            scales=self._scales,
            opacities=self._opacities,
            colors=sh_colors(self._sh, self._means - centre),
        )
        output = self._rasterizer.render(gaussians, camera, background=self._background)
        return output.image.clamp(0.0, 1.0)
