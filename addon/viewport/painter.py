"""Painter: visible splat objects and a view in, their picture in a target out.

Two passes. `project` writes a record of every splat (compute shader, once a splat); `draw` blends
the records back to front. Records are kept, so a new order alone costs no projection.
"""

from collections.abc import Sequence

import gpu
import numpy as np
import numpy.typing as npt

from ..objects import SplatInstance
from .cloud_packing import RECORD_WIDTH
from .glsl.projection import FOV_MARGIN, GROUP_SIZE, NEAR_PLANE
from .glsl.splat import SPLATS_PER_INSTANCE
from .screen_area import Area, screen_area
from .shaders import Shaders
from .target import Target
from .textures import CloudStore, CloudTextures, empty_texture, float_texture
from .view_parameters import ViewParameters

__all__ = ["Painter", "order_rows"]

GROUPS_PER_ROW = 1024
"""Work groups along x; along y as many as needed (65,535 at least are allowed)."""
LARGEST_EXACT = 1 << 24
"""Order textures hold indices as float32."""


class Painter:
    """The GPU side of drawing; lives in one GPU context."""

    def __init__(self) -> None:
        self.shaders = Shaders()
        self.clouds = CloudStore()
        self._records: tuple[gpu.types.GPUTexture, ...] = ()
        self._rows = 0
        self._order: gpu.types.GPUTexture | None = None
        self._count = 0

    def project(
        self, instances: Sequence[SplatInstance], view: ViewParameters, width: int, height: int
    ) -> None:
        """Write the records of all splats as seen in a picture of `width` x `height` pixels.

        Raises:
            UploadError: the GPU has no room.
        """
        textures = [self.clouds.textures(item.key, item.cloud) for item in instances]
        self._reserve(sum(cloud.count for cloud in textures))
        first = 0
        for item, cloud in zip(instances, textures, strict=True):
            if cloud.count:
                values = _view_values(item.matrix_world, cloud, view, (width, height), first)
                self._dispatch(cloud, values)
            first += cloud.count

    def area(self, instances: Sequence[SplatInstance], view: ViewParameters) -> Area:
        """Return where in the picture there may be splats."""
        boxes = []
        for item in instances:
            cloud = self.clouds.textures(item.key, item.cloud)
            boxes.append((cloud.low, cloud.high, item.matrix_world))
        return screen_area(boxes, view)

    def set_order(self, rows: npt.NDArray[np.float32], count: int) -> None:
        """Take the order in which records are drawn (see `order_rows`); raises `UploadError`."""
        self._order = float_texture(rows, RECORD_WIDTH, "R32F")
        self._count = count

    def draw(self, target: Target, *, depth_terms: tuple[float, ...] | None = None) -> None:
        """Blend the records into a target; with `depth_terms` weighted view depths, not colours."""
        with target.framebuffer.bind():
            target.framebuffer.clear(color=(0.0, 0.0, 0.0, 0.0))
            if self._count and self._order is not None:
                self._draw_records(depth_terms)

    def free(self) -> None:
        """Drop everything held on the GPU."""
        self.shaders.free()
        self.clouds.free()
        self.free_records()

    def free_records(self) -> None:
        """Drop what belongs to the last view."""
        self._records, self._rows = (), 0
        self._order, self._count = None, 0

    @property
    def gpu_bytes(self) -> int:
        """Memory of clouds, records and order."""
        return self.clouds.gpu_bytes + self._rows * RECORD_WIDTH * (16 + 8 + 8 + 4)

    def _reserve(self, count: int) -> None:
        rows = max(1, -(-count // RECORD_WIDTH))
        # Also shrinks, once it is far too large.
        if self._rows < rows or self._rows > 4 * rows:
            self.free_records()
            forms = ("RGBA32F", "RGBA16F", "RGBA16F")
            self._records = tuple(empty_texture(RECORD_WIDTH, rows, form) for form in forms)
            self._rows = rows

    def _dispatch(self, cloud: CloudTextures, values: npt.NDArray[np.float32]) -> None:
        shader = self.shaders.projection(cloud.degree)
        uniforms = gpu.types.GPUUniformBuf(gpu.types.Buffer("FLOAT", values.size, values))
        shader.bind()
        shader.uniform_block("u", uniforms)
        shader.uniform_sampler("position_tex", cloud.positions)
        shader.uniform_sampler("rotation_tex", cloud.rotations)
        shader.uniform_sampler("scale_tex", cloud.scales)
        shader.uniform_sampler("color_tex", cloud.colors)
        for name, texture in zip(
            ("record_place", "record_axes", "record_color"), self._records, strict=True
        ):
            shader.image(name, texture)
        groups = -(-cloud.count // GROUP_SIZE)
        gpu.compute.dispatch(shader, min(groups, GROUPS_PER_ROW), -(-groups // GROUPS_PER_ROW), 1)

    def _draw_records(self, depth_terms: tuple[float, ...] | None) -> None:
        shader = self.shaders.splat(depth=depth_terms is not None)
        place, axes, color = self._records
        gpu.state.blend_set("ALPHA_PREMULT")
        gpu.state.depth_test_set("LESS_EQUAL")
        gpu.state.depth_mask_set(False)
        gpu.state.face_culling_set("NONE")
        try:
            shader.bind()
            shader.uniform_int("splat_count", self._count)
            if depth_terms is not None:
                shader.uniform_float("depth_terms", depth_terms)
            shader.uniform_sampler("order_tex", self._order)
            shader.uniform_sampler("record_place", place)
            shader.uniform_sampler("record_axes", axes)
            shader.uniform_sampler("record_color", color)
            self.shaders.splat_batch().draw_instanced(
                shader, instance_start=0, instance_count=-(-self._count // SPLATS_PER_INSTANCE)
            )
        finally:
            gpu.state.blend_set("NONE")
            gpu.state.depth_test_set("NONE")


def order_rows(order: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
    """Return an order as the flat values of its texture, padded to whole rows."""
    rows = np.zeros(max(1, -(-len(order) // RECORD_WIDTH)) * RECORD_WIDTH, np.float32)
    rows[: len(order)] = order
    return rows


def _view_values(
    matrix_world: npt.NDArray[np.float64],  # [4, 4]
    cloud: CloudTextures,
    view: ViewParameters,
    size: tuple[int, int],
    first: int,
) -> npt.NDArray[np.float32]:
    """Fill the struct of glsl.projection for one object."""
    width, height = size
    p = view.projection_matrix
    model_view = view.view_matrix @ matrix_world
    values = np.zeros(52, np.float32)
    values[0:16] = model_view.T.ravel()
    values[16:32] = p.T.ravel()
    values[32:36] = 0.5 * width * p[0, 0], 0.5 * height * p[1, 1], width, height
    reach = 1.0 + FOV_MARGIN
    values[36:40] = (
        (p[0, 2] - reach) / p[0, 0],
        (p[0, 2] + reach) / p[0, 0],
        (p[1, 2] - reach) / p[1, 1],
        (p[1, 2] + reach) / p[1, 1],
    )
    linear = matrix_world[:3, :3]
    # A flattened object (a scale of zero) has no inverse; any direction will do for it.
    inverse = np.linalg.pinv(linear)
    if view.is_ortho:
        values[40:43] = inverse @ view.direction
    else:
        values[40:43] = inverse @ (view.eye - matrix_world[:3, 3])
    row_of_groups = min(-(-cloud.count // GROUP_SIZE), GROUPS_PER_ROW) * GROUP_SIZE
    values[44:48] = cloud.count, first, row_of_groups, float(view.is_ortho)
    values[48:50] = cloud.scale_unit, NEAR_PLANE * np.cbrt(abs(np.linalg.det(linear)))
    return values
