"""Gaussians that a host's opaque meshes hide: Gaussians, camera and depths in, RGBA out.

Forward only and on the CPU: a render farm without a GPU is where it is needed.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..kernels.occlusion import composite_tiles_before
from ..kernels.pool import balanced_ranges
from ..model.gaussians import Gaussians
from ..scene.camera import Camera
from .cpu_backend import PIECES_PER_THREAD, CpuRasterizer

__all__ = ["BeforePicture", "render_before"]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class BeforePicture:
    """What lies before the limits, on black."""

    image: Floats  # [H, W, 3], premultiplied
    alpha: Floats  # [H, W], 0..1


def render_before(
    rasterizer: CpuRasterizer,
    gaussians: Gaussians,
    camera: Camera,
    limits: Floats,  # [H, W]
) -> BeforePicture:
    """Draw the Gaussians whose centre is nearer than the limit of the pixel.

    Args:
        rasterizer: projects, sorts and lends its threads.
        gaussians: tensors on the CPU.
        camera: the view, of `W x H` pixels.
        limits: view depth per pixel `[H, W] float32`, world units; infinite: no limit.
    """
    tensors = (
        gaussians.means,
        gaussians.quats,
        gaussians.scales,
        gaussians.opacities,
        gaussians.colors,
    )
    arrays = (np.ascontiguousarray(tensor.detach().float().numpy()) for tensor in tensors)
    plan = rasterizer.plan_tiles(camera, *arrays)
    picture = np.empty((plan.height, plan.width, 4), np.float32)
    shared = (plan.packed, plan.starts, plan.hits, plan.columns)
    outputs = (np.ascontiguousarray(limits, np.float32), picture)
    pieces = balanced_ranges(plan.starts, PIECES_PER_THREAD * rasterizer.pool.threads)
    rasterizer.pool.run(composite_tiles_before, [(a, b, *shared, *outputs) for a, b in pieces])
    return BeforePicture(image=picture[..., :3], alpha=picture[..., 3])
