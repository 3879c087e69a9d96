"""The compiled shaders and the geometry they draw; made when first asked for, in a GPU context."""

import gpu
import numpy as np

from .glsl import composite, projection, splat

__all__ = ["Shaders"]

TRIANGLE = ((0.0, 2.0), (-(3.0**0.5), -1.0), (3.0**0.5, -1.0))
"""Corners around the unit circle."""
SQUARE = ((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, -1.0), (1.0, 1.0), (-1.0, 1.0))


class Shaders:
    """Shaders by purpose, and the two batches."""

    def __init__(self) -> None:
        self._shaders: dict[str, gpu.types.GPUShader] = {}
        self._batches: dict[str, gpu.types.GPUBatch] = {}

    def projection(self, degree: int) -> gpu.types.GPUShader:
        """Compute shader from one object's splats to records (glsl.projection)."""
        name = f"projection {degree}"
        if name not in self._shaders:
            info = gpu.types.GPUShaderCreateInfo()
            info.typedef_source(projection.VIEW_STRUCT)
            info.uniform_buf(0, "PcgsView", "u")
            for slot, sampler in enumerate(
                ("position_tex", "rotation_tex", "scale_tex", "color_tex")
            ):
                info.sampler(slot, "FLOAT_2D", sampler)
            info.image(0, "RGBA32F", "FLOAT_2D", "record_place", qualifiers={"WRITE"})
            info.image(1, "RGBA16F", "FLOAT_2D", "record_axes", qualifiers={"WRITE"})
            info.image(2, "RGBA16F", "FLOAT_2D", "record_color", qualifiers={"WRITE"})
            info.local_group_size(projection.GROUP_SIZE, 1, 1)
            info.compute_source(projection.projection_source(degree))
            self._shaders[name] = gpu.shader.create_from_info(info)
        return self._shaders[name]

    def splat(self, *, depth: bool) -> gpu.types.GPUShader:
        """Shader that draws records in order; with `depth` weighted view depths, not colours."""
        name = "splat depth" if depth else "splat"
        if name not in self._shaders:
            interface = gpu.types.GPUStageInterfaceInfo(f"pcgs_{name.replace(' ', '_')}")
            # Not no_perspective: Mesa then bends it where a large triangle is clipped.
            interface.smooth("VEC2", "local")
            interface.flat("VEC4", "tint")
            info = gpu.types.GPUShaderCreateInfo()
            info.push_constant("INT", "splat_count")
            if depth:
                info.push_constant("VEC4", "depth_terms")
            for slot, sampler in enumerate(
                ("order_tex", "record_place", "record_axes", "record_color")
            ):
                info.sampler(slot, "FLOAT_2D", sampler)
            info.vertex_in(0, "VEC3", "corner")
            info.vertex_out(interface)
            info.fragment_out(0, "VEC4", "out_color")
            info.vertex_source(splat.vertex_source(depth=depth))
            info.fragment_source(splat.FRAGMENT)
            self._shaders[name] = gpu.shader.create_from_info(info)
        return self._shaders[name]

    def composite(self) -> gpu.types.GPUShader:
        """Shader that puts our picture over Blender's (glsl.composite)."""
        if "composite" not in self._shaders:
            interface = gpu.types.GPUStageInterfaceInfo("pcgs_composite")
            interface.smooth("VEC2", "uv")
            info = gpu.types.GPUShaderCreateInfo()
            info.push_constant("VEC4", "area")
            info.sampler(0, "FLOAT_2D", "picture_tex")
            info.vertex_in(0, "VEC3", "corner")
            info.vertex_out(interface)
            info.fragment_out(0, "VEC4", "out_color")
            info.vertex_source(composite.VERTEX)
            info.fragment_source(composite.FRAGMENT)
            self._shaders["composite"] = gpu.shader.create_from_info(info)
        return self._shaders["composite"]

    def splat_batch(self) -> gpu.types.GPUBatch:
        """Triangles of one instance: corner, and which splat of the instance."""
        if "splat" not in self._batches:
            corners = np.zeros((splat.SPLATS_PER_INSTANCE, 3, 3), np.float32)
            corners[:, :, :2] = TRIANGLE
            corners[:, :, 2] = np.arange(splat.SPLATS_PER_INSTANCE)[:, None]
            self._batches["splat"] = _batch(corners.reshape(-1, 3))
        return self._batches["splat"]

    def square_batch(self) -> gpu.types.GPUBatch:
        """Two triangles from -1 to 1."""
        if "square" not in self._batches:
            corners = np.zeros((6, 3), np.float32)
            corners[:, :2] = SQUARE
            self._batches["square"] = _batch(corners)
        return self._batches["square"]

    def free(self) -> None:
        """Drop everything; the next use compiles again."""
        self._shaders.clear()
        self._batches.clear()


def _batch(corners: np.ndarray) -> gpu.types.GPUBatch:
    form = gpu.types.GPUVertFormat()
    form.attr_add(id="corner", comp_type="F32", len=3, fetch_mode="FLOAT")
    buffer = gpu.types.GPUVertBuf(form, len(corners))
    buffer.attr_fill("corner", corners)
    return gpu.types.GPUBatch(type="TRIS", buf=buffer)
