"""Gaussians and a camera to an image: one interface (`rasterizer`), three backends, quality.

Only the interface is re-exported; backends load numba or gsplat when their module is imported.
"""

from .rasterizer import Rasterizer, RenderOutput

__all__ = ["Rasterizer", "RenderOutput"]
