"""The readable rasterizer the others are tested against: plain torch, any float type, autograd.

In: `Gaussians` and a `Camera`; out: a `RenderOutput`. Every step is a formula on whole tensors;
tiles only bound the memory, so it is slow and meant for small images (docs/design.md).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..model.gaussians import Gaussians
from ..scene.camera import Camera
from .anchors_in_view import anchors_in_view
from .finite import replace_nonfinite
from .rasterizer import RenderOutput

__all__ = ["ProjectedGaussians", "ReferenceRasterizer", "project", "rotation_matrices"]

NEAR_PLANE = 0.2
DILATION = 0.3
EXTENT = 3.33
ALPHA_MIN = 1.0 / 255.0
ALPHA_MAX = 0.999
TRANSMITTANCE_MIN = 1e-4
FOV_MARGIN = 0.3
DEPTH_EPS = 1e-10
TILE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectedGaussians:
    """Ellipses in the image, one for each Gaussian; values where `radii` is 0 mean nothing."""

    means2d: Tensor  # [M, 2], pixels
    depths: Tensor  # [M], view depth
    covariances: Tensor  # [M, 2, 2], px², dilated
    radii: Tensor  # [M, 2] int32


def rotation_matrices(quats: Tensor) -> Tensor:
    """Rotation matrices `[M, 3, 3]` of quaternions `[M, 4]`, w x y z, of any length."""
    w, x, y, z = normalize(quats, dim=-1).unbind(-1)
    rows = [
        torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], -1),
        torch.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], -1),
        torch.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], -1),
    ]
    return torch.stack(rows, -2)


def _jacobians(positions: Tensor, camera: Camera) -> Tensor:
    """d(pixel)/d(view position) `[M, 2, 3]`, the direction clamped a little outside the image."""
    x, y, z = positions.unbind(-1)
    margin_x = FOV_MARGIN * 0.5 * camera.width / camera.fx
    margin_y = FOV_MARGIN * 0.5 * camera.height / camera.fy
    left, right = camera.cx / camera.fx, (camera.width - camera.cx) / camera.fx
    top, bottom = camera.cy / camera.fy, (camera.height - camera.cy) / camera.fy
    ux = (x / z).clamp(-left - margin_x, right + margin_x)
    uy = (y / z).clamp(-top - margin_y, bottom + margin_y)
    zero = torch.zeros_like(z)
    along_x = torch.stack([camera.fx / z, zero, -camera.fx * ux / z], -1)
    along_y = torch.stack([zero, camera.fy / z, -camera.fy * uy / z], -1)
    return torch.stack([along_x, along_y], -2)


def project(
    means: Tensor,  # [M, 3]
    quats: Tensor,  # [M, 4]
    scales: Tensor,  # [M, 3]
    opacities: Tensor,  # [M]
    camera: Camera,
) -> ProjectedGaussians:
    """Project Gaussians; radii are those of the ellipse where alpha is still 1/255."""
    view = torch.as_tensor(camera.world_to_camera, dtype=means.dtype, device=means.device)
    positions = means @ view[:3, :3].T + view[:3, 3]
    near = positions[:, 2] >= NEAR_PLANE
    # Behind the camera nothing is drawn; a harmless position keeps the gradients finite.
    positions = torch.where(near[:, None], positions, positions.new_tensor([0.0, 0.0, 1.0]))
    axes = _jacobians(positions, camera) @ view[:3, :3] @ rotation_matrices(quats)
    axes = axes * scales[:, None, :]
    covariances = axes @ axes.transpose(-1, -2) + DILATION * torch.eye(2).to(means)
    focal = means.new_tensor([camera.fx, camera.fy])
    centre = means.new_tensor([camera.cx, camera.cy])
    means2d = positions[:, :2] / positions[:, 2:] * focal + centre

    reach = (2 * (opacities.detach() / ALPHA_MIN).clamp_min(1).log()).sqrt().clamp_max(EXTENT)
    variances = covariances.detach().diagonal(dim1=-2, dim2=-1)
    radii = (reach[:, None] * variances.sqrt()).ceil().clamp_max(1e9)
    size = means.new_tensor([camera.width, camera.height])
    inside = ((means2d + radii > 0) & (means2d - radii < size)).all(-1)
    drawn = near & inside & (opacities >= ALPHA_MIN)
    return ProjectedGaussians(
        means2d=means2d,
        depths=positions[:, 2],
        covariances=covariances,
        radii=torch.where(drawn[:, None], radii, 0.0).to(torch.int32),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ellipses:
    """The drawn Gaussians in depth order."""

    means2d: Tensor  # [V, 2]
    conics: Tensor  # [V, 2, 2]
    opacities: Tensor  # [V]
    channels: Tensor  # [V, 4], colour and depth
    radii: Tensor  # [V, 2]


class ReferenceRasterizer:
    """Rasterizes with torch operations alone, on any device and in any float type."""

    def __init__(self, device: torch.device | None = None) -> None:
        """Expect tensors on `device`, by default the CPU."""
        self._device = device if device is not None else torch.device("cpu")

    @property
    def name(self) -> str:
        """`reference`."""
        return "reference"

    @property
    def device(self) -> torch.device:
        """Where inputs must live."""
        return self._device

    def render(
        self,
        gaussians: Gaussians,
        camera: Camera,
        *,
        background: Tensor | None = None,  # [3]
        with_depth: bool = False,
        track_means2d: bool = False,
    ) -> RenderOutput:
        """Rasterize; see `Rasterizer.render`."""
        gaussians = replace_nonfinite(gaussians)
        means, opacities = gaussians.means, gaussians.opacities
        projected = project(means, gaussians.quats, gaussians.scales, opacities, camera)
        means2d = projected.means2d
        if track_means2d:
            if not means2d.requires_grad:
                means2d = means2d.detach().requires_grad_()
            means2d.retain_grad()
        channels = torch.cat([gaussians.colors, projected.depths[:, None]], -1)
        shown = (projected.radii > 0).all(-1)
        order = projected.depths.detach().masked_fill(~shown, math.inf).argsort(stable=True)
        order = order[: int(shown.sum())]
        ellipses = _Ellipses(
            means2d=means2d[order],
            conics=torch.linalg.inv(projected.covariances[order]),
            opacities=opacities[order],
            channels=channels[order],
            radii=projected.radii[order],
        )
        summed, alpha = _composite(ellipses, camera)
        ground = means.new_zeros(3) if background is None else background.to(means)
        return RenderOutput(
            image=summed[..., :3] + (1 - alpha)[..., None] * ground,
            alpha=alpha,
            depth=summed[..., 3] / alpha.clamp_min(DEPTH_EPS) if with_depth else None,
            radii=projected.radii,
            means2d=means2d,
        )

    def anchors_in_view(
        self,
        camera: Camera,
        positions: Tensor,  # [N, 3]
        scaling: Tensor,  # [N, 6]
        offsets: Tensor,  # [N, K, 3]
        mask: Tensor,  # [N, K] bool
    ) -> Tensor:  # [n] int64, ascending
        """Which anchors have a Gaussian in view; see `Rasterizer.anchors_in_view`."""
        return anchors_in_view(self._visible, camera, positions, scaling, offsets, mask)

    def _visible(
        self,
        means: Tensor,  # [M, 3]
        scales: Tensor,  # [M, 3]
        camera: Camera,
    ) -> Tensor:  # [M] bool
        """Which unrotated Gaussians can touch the image at full opacity."""
        quats = means.new_tensor([1.0, 0.0, 0.0, 0.0]).expand(len(means), 4)
        finite = means.isfinite().all(-1) & scales.isfinite().all(-1)
        with torch.no_grad():
            radii = project(means, quats, scales, means.new_ones(len(means)), camera).radii
        return finite & (radii > 0).all(-1)


def _composite(ellipses: _Ellipses, camera: Camera) -> tuple[Tensor, Tensor]:
    """Composite tile by tile: summed channels `[H, W, 4]` and alpha `[H, W]`."""
    bands, alphas = [], []
    for top in range(0, camera.height, TILE):
        bottom = min(top + TILE, camera.height)
        row = [
            _composite_tile(ellipses, left, min(left + TILE, camera.width), top, bottom)
            for left in range(0, camera.width, TILE)
        ]
        bands.append(torch.cat([channels for channels, _ in row], 1))
        alphas.append(torch.cat([alpha for _, alpha in row], 1))
    return torch.cat(bands, 0), torch.cat(alphas, 0)


def _composite_tile(
    ellipses: _Ellipses, left: int, right: int, top: int, bottom: int
) -> tuple[Tensor, Tensor]:
    """Composite the pixels of one tile over all ellipses whose box touches it."""
    with torch.no_grad():
        low, high = ellipses.means2d - ellipses.radii, ellipses.means2d + ellipses.radii
        touching = (low[:, 0] < right) & (high[:, 0] > left)
        touching &= (low[:, 1] < bottom) & (high[:, 1] > top)
        chosen = touching.nonzero()[:, 0]
    xs = torch.arange(left, right).to(ellipses.means2d) + 0.5
    ys = torch.arange(top, bottom).to(ellipses.means2d) + 0.5
    means, conics = ellipses.means2d[chosen], ellipses.conics[chosen]
    dx = (xs[None, :] - means[:, 0, None])[:, None, :]  # [n, 1, w]
    dy = (ys[None, :] - means[:, 1, None])[:, :, None]  # [n, h, 1]
    a, b, c = (conics[:, i, j, None, None] for i, j in ((0, 0), (0, 1), (1, 1)))
    sigmas = 0.5 * (a * dx * dx + c * dy * dy) + b * dx * dy
    raw = ellipses.opacities[chosen, None, None] * torch.exp(-sigmas)
    shown = (raw.detach() >= ALPHA_MIN) & (sigmas.detach() >= 0)
    shown &= sigmas.detach() <= 0.5 * EXTENT * EXTENT
    alphas = torch.where(shown, raw.clamp_max(ALPHA_MAX), 0.0)  # [n, h, w]
    after = torch.cumprod(1 - alphas, 0)
    before = torch.cat([torch.ones_like(after[:1]), after[:-1]], 0)
    # Transmittance only falls, so what comes after the stop is exactly what is at or below it.
    weights = torch.where(after > TRANSMITTANCE_MIN, alphas * before, 0.0)
    channels = torch.einsum("nhw,nc->hwc", weights, ellipses.channels[chosen])
    return channels, weights.sum(0)
