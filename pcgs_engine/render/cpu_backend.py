"""The rasterizer for machines without a GPU: numba kernels on threads, forward and backward.

In: `Gaussians` and a `Camera`; out: a `RenderOutput` whose images carry gradients. Results do not
depend on the number of threads, bit for bit.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..errors import DeviceError
from ..kernels.binning import TILE, count_hits, place_hits, scatter_hits
from ..kernels.compositing import composite_tiles
from ..kernels.compositing_backward import SUMS, composite_tiles_backward
from ..kernels.depth_sort import sort_by_depth
from ..kernels.pool import KernelPool, balanced_ranges, even_ranges
from ..kernels.projection import CAMERA_SIZE, RECORD_SIZE, mark_anchors, project_gaussians
from ..kernels.projection_backward import gather_gradients
from ..model.gaussians import Gaussians
from ..scene.camera import Camera
from .rasterizer import RenderOutput

__all__ = ["CpuRasterizer", "TilePlan", "pack_camera"]

PIECES_PER_THREAD = 6
"""Ranges of tiles a thread gets on average; more even out, fewer cost less in Python."""
SMALL_PIECE = 2000
"""Least number of Gaussians worth a thread's start."""
FOV_MARGIN = 0.3
"""How far beyond the image the Jacobian follows a direction, in tan(half fov) (gsplat)."""
DEPTH_EPS = 1e-10
"""Least alpha the expected depth is divided by (gsplat)."""

Floats = npt.NDArray[np.float32]


def pack_camera(camera: Camera) -> npt.NDArray[np.float64]:
    """Return the camera as the flat array the kernels read (kernels.projection.CAMERA_SIZE)."""
    margin_x = FOV_MARGIN * 0.5 * camera.width / camera.fx
    margin_y = FOV_MARGIN * 0.5 * camera.height / camera.fy
    packed = np.empty(CAMERA_SIZE, np.float64)
    packed[:9] = camera.world_to_camera[:3, :3].ravel()
    packed[9:12] = camera.world_to_camera[:3, 3]
    packed[12:16] = camera.fx, camera.fy, camera.cx, camera.cy
    packed[16] = -camera.cx / camera.fx - margin_x
    packed[17] = (camera.width - camera.cx) / camera.fx + margin_x
    packed[18] = -camera.cy / camera.fy - margin_y
    packed[19] = (camera.height - camera.cy) / camera.fy + margin_y
    packed[20:] = camera.width, camera.height
    return packed


@dataclass(frozen=True, slots=True, kw_only=True)
class TilePlan:
    """What is drawn where: the visible Gaussians in depth order and the tiles' lists of them."""

    width: int
    height: int
    columns: int
    """Tiles along x."""
    camera: npt.NDArray[np.float64]  # [22], see pack_camera
    radii: npt.NDArray[np.int32]  # [M, 2]
    means2d: Floats  # [M, 2]
    order: npt.NDArray[np.int32]  # [V], nearest first
    packed: Floats  # [V, 16], records in that order
    slots: npt.NDArray[np.int64]  # [M + 1], first slot of every Gaussian's hits
    starts: npt.NDArray[np.int64]  # [tiles + 1], first hit of every tile
    hits: npt.NDArray[np.int32]  # [H, 2], Gaussian and slot


class CpuRasterizer:
    """Rasterizes with numba kernels; tensors live on the CPU, float32."""

    def __init__(self, threads: int) -> None:
        """Use `threads` threads (>= 1), the caller's included."""
        self.pool = KernelPool(threads)

    @property
    def name(self) -> str:
        """`cpu`."""
        return "cpu"

    @property
    def device(self) -> torch.device:
        """The CPU."""
        return torch.device("cpu")

    def render(
        self,
        gaussians: Gaussians,
        camera: Camera,
        *,
        background: Tensor | None = None,  # [3]
        with_depth: bool = False,
        track_means2d: bool = False,
    ) -> RenderOutput:
        """Rasterize; see `Rasterizer.render`. Gaussians with a number not finite are not drawn.

        Raises:
            DeviceError: a tensor does not live on the CPU.
        """
        if gaussians.means.device.type != "cpu":
            raise DeviceError(
                f"gaussians are on {gaussians.means.device}, wanted cpu; move them there or "
                "choose the rasterizer of their device"
            )
        inputs = tuple(
            tensor.to(torch.float32)
            for tensor in (
                gaussians.means,
                gaussians.quats,
                gaussians.scales,
                gaussians.opacities,
                gaussians.colors,
            )
        )
        ground = torch.zeros(3) if background is None else background.to(torch.float32)
        plan = self.plan_tiles(camera, *(_array(tensor) for tensor in inputs))
        means2d = torch.from_numpy(plan.means2d)
        if track_means2d:
            means2d.requires_grad_()
        image, alpha, depth = _Composite.apply(  # type: ignore[no-untyped-call]
            *inputs, ground, means2d, plan, self.pool, with_depth
        )
        return RenderOutput(
            image=image,
            alpha=alpha,
            depth=depth if with_depth else None,
            radii=torch.from_numpy(plan.radii),
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
        marks = np.empty(len(mask), np.bool_)
        anchors = (_array(positions.float()), _array(scaling.float()), _array(offsets.float()))
        arrays = (*anchors, mask.contiguous().numpy(), pack_camera(camera), marks)
        self.pool.run(mark_anchors, [(a, b, *arrays) for a, b in self._ranges(len(mask))])
        return torch.from_numpy(marks).nonzero(as_tuple=True)[0]

    def plan_tiles(
        self,
        camera: Camera,
        means: Floats,  # [M, 3]
        quats: Floats,  # [M, 4]
        scales: Floats,  # [M, 3]
        opacities: Floats,  # [M]
        colors: Floats,  # [M, 3]
    ) -> TilePlan:
        """Project, sort by depth and list per tile what it shows."""
        size = len(means)
        records = np.empty((size, RECORD_SIZE), np.float32)
        depths = np.empty(size, np.float32)
        radii = np.empty((size, 2), np.int32)
        means2d = np.empty((size, 2), np.float32)
        view = pack_camera(camera)
        arrays = (means, quats, scales, opacities, colors, view, records, depths, radii, means2d)
        self.pool.run(project_gaussians, [(a, b, *arrays) for a, b in self._ranges(size)])

        order = self._sort_visible(depths)
        columns, rows = -(-camera.width // TILE), -(-camera.height // TILE)
        packed = np.empty((len(order), RECORD_SIZE), np.float32)
        slots = np.zeros(size + 1, np.int64)
        starts = np.empty(columns * rows + 1, np.int64)
        ranges = self._ranges(len(order))
        places = np.zeros((len(ranges), columns * rows), np.int64)
        self.pool.run(
            count_hits,
            [
                (a, b, order, records, columns, rows, packed, slots, places[part])
                for part, (a, b) in enumerate(ranges)
            ],
        )
        self.pool.run(place_hits, [(places, starts, slots)])
        hits = np.empty((int(starts[-1]), 2), np.int32)
        self.pool.run(
            scatter_hits,
            [
                (a, b, order, packed, columns, rows, slots, places[part], hits)
                for part, (a, b) in enumerate(ranges)
            ],
        )
        return TilePlan(
            width=camera.width,
            height=camera.height,
            columns=columns,
            camera=view,
            radii=radii,
            means2d=means2d,
            order=order,
            packed=packed,
            slots=slots,
            starts=starts,
            hits=hits,
        )

    def _sort_visible(self, depths: Floats) -> npt.NDArray[np.int32]:
        """Return the indices of the Gaussians with finite `depths` `[M]`, nearest first."""
        keys = np.empty((2, len(depths)), np.uint32)
        order = np.empty((2, len(depths)), np.int32)
        count = np.empty(1, np.int64)
        culled = np.array(np.inf, np.float32).view(np.uint32)[()]
        self.pool.run(sort_by_depth, [(depths.view(np.uint32), culled, keys, order, count)])
        return order[0, : count[0]]

    def _ranges(self, size: int) -> list[tuple[int, int]]:
        """Ranges of Gaussians, at most one a thread."""
        return even_ranges(size, min(self.pool.threads, max(1, size // SMALL_PIECE)))


def _array(tensor: Tensor) -> Floats:
    """A tensor's values as a contiguous array, shared where it can be."""
    array: Floats = tensor.detach().contiguous().numpy()
    return array


def _tile_ranges(plan: TilePlan, pool: KernelPool) -> list[tuple[int, int]]:
    """Ranges of tiles of about equal numbers of hits."""
    pieces = PIECES_PER_THREAD * pool.threads if pool.threads > 1 else 1
    return balanced_ranges(plan.starts, pieces)


class _Composite(torch.autograd.Function):
    """A tile plan to images; backward runs compositing and projection back to the Gaussians."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401  (torch gives it no public type)
        means: Tensor,
        quats: Tensor,
        scales: Tensor,
        opacities: Tensor,
        colors: Tensor,
        background: Tensor,
        means2d: Tensor,
        plan: TilePlan,
        pool: KernelPool,
        with_depth: bool,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        image = np.empty((plan.height, plan.width, 3), np.float32)
        alphas = np.empty((plan.height, plan.width), np.float32)
        sums = np.empty_like(alphas) if with_depth else None
        arrays = (plan.packed, plan.starts, plan.hits, plan.columns)
        outputs = (_array(background), image, alphas, sums)
        pool.run(
            composite_tiles,
            [(a, b, *arrays, *outputs) for a, b in _tile_ranges(plan, pool)],
        )
        ctx.set_materialize_grads(False)
        ctx.plan, ctx.pool, ctx.sums = plan, pool, sums
        result, alpha = torch.from_numpy(image), torch.from_numpy(alphas)
        ctx.save_for_backward(means, quats, scales, opacities, result, alpha)
        if sums is None:
            return result, alpha, None
        return result, alpha, torch.from_numpy(sums / np.maximum(alphas, np.float32(DEPTH_EPS)))

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any,  # noqa: ANN401
        v_image: Tensor | None,
        v_alpha: Tensor | None,
        v_depth: Tensor | None,
    ) -> tuple[Tensor | None, ...]:
        *gaussians, image, alpha = (_array(tensor) for tensor in ctx.saved_tensors)
        plan: TilePlan = ctx.plan
        pool: KernelPool = ctx.pool
        v_image_array = np.zeros_like(image) if v_image is None else _array(v_image)
        v_alpha_array = np.zeros_like(alpha) if v_alpha is None else _array(v_alpha)
        v_sums = None
        if v_depth is not None:
            # The expected depth is the sum divided by alpha, where there is any.
            v_sums = _array(v_depth) / np.maximum(alpha, np.float32(DEPTH_EPS))
            slope = v_sums * ctx.sums / np.maximum(alpha, np.float32(DEPTH_EPS))
            v_alpha_array = v_alpha_array - np.where(alpha > DEPTH_EPS, slope, np.float32(0))
        sums = np.empty((len(plan.hits), SUMS), np.float32)
        arrays = (plan.packed, plan.starts, plan.hits, plan.columns, image, alpha)
        depths = ctx.sums if v_sums is not None else None
        pool.run(
            composite_tiles_backward,
            [
                (a, b, *arrays, depths, v_image_array, v_alpha_array, v_sums, sums)
                for a, b in _tile_ranges(plan, pool)
            ],
        )
        gradients = _gather(plan, pool, sums, gaussians)
        v_background = None
        if ctx.needs_input_grad[5]:
            light = np.float32(1) - alpha
            v_background = torch.from_numpy(np.einsum("hwc,hw->c", v_image_array, light))
        *v_gaussians, v_means2d = (torch.from_numpy(gradient) for gradient in gradients)
        return *v_gaussians, v_background, v_means2d, None, None, None


def _gather(
    plan: TilePlan, pool: KernelPool, sums: Floats, gaussians: list[Floats]
) -> tuple[Floats, ...]:
    """Gradients of means, quaternions, scales, opacities, colours and pixel means from the sums.

    `gaussians` are means, quaternions, scales and opacities.
    """
    size = len(plan.radii)
    gradients = (
        np.zeros((size, 3), np.float32),
        np.zeros((size, 4), np.float32),
        np.zeros((size, 3), np.float32),
        np.zeros(size, np.float32),
        np.zeros((size, 3), np.float32),
        np.zeros((size, 2), np.float32),
    )
    arrays = (plan.slots, sums, plan.camera, *gaussians)
    ranges = even_ranges(size, min(pool.threads, max(1, size // SMALL_PIECE)))
    pool.run(gather_gradients, [(a, b, *arrays, *gradients) for a, b in ranges])
    return gradients
