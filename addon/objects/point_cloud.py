"""A `SplatCloud` in, one of Blender's own point clouds out.

Attributes are those of Blender 5.3's Gaussian splats: `position`, `scale` (standard deviations),
`rotation` (w first), `radiance:base` (SH degree 0, opacity), `radiance:sh_0` and on (one a higher
coefficient, 3DGS order). All mean in object space what a `SplatCloud` means, so nothing is turned.
Where Blender has that kind of point cloud it draws and renders it; before, the attributes are for
geometry nodes. What the running Blender has is read from its RNA, never from its version.
"""

from collections.abc import Iterator

import bpy
import numpy as np
import numpy.typing as npt

from pcgs_engine.splats import SplatCloud

__all__ = ["can_make_point_clouds", "make_point_cloud", "presentable", "splat_kind"]

Floats = npt.NDArray[np.float32]

THINNEST = 1e-3
"""Shortest axis of a splat over its longest: Cycles draws none thinner."""
FIELDS = {"FLOAT_VECTOR": "vector", "FLOAT4": "vector", "QUATERNION": "value"}
"""Data type of an attribute: the property of its elements that holds the numbers."""


def can_make_point_clouds() -> bool:
    """Return whether scripts can give point clouds points (Blender 5.2 does, 4.5 does not)."""
    return "resize" in bpy.types.PointCloud.bl_rna.functions


def splat_kind() -> str | None:
    """Return the value of `PointCloud.type` that means splats; None where there are points only."""
    kinds = bpy.types.PointCloud.bl_rna.properties.get("type")
    if kinds is None or kinds.type != "ENUM":
        return None
    names = [item.identifier for item in kinds.enum_items]
    return next((name for name in names if "SPLAT" in name), None)


def presentable(cloud: SplatCloud) -> SplatCloud:
    """Return the splats that can be seen, none of them flat.

    Blender's drawing stores each attribute in a few bits over its range in the whole cloud: one
    splat without extent or with a number that is not finite would coarsen or spoil all others.
    """
    longest = cloud.scales.max(axis=1, initial=0.0)
    seen = (cloud.opacities > 0.0) & (longest > 0.0)
    for values in (cloud.means, cloud.scales, cloud.quats, cloud.opacities, cloud.sh):
        seen &= np.isfinite(values).reshape(len(cloud), -1).all(axis=1)
    return SplatCloud(
        means=cloud.means[seen],
        scales=np.maximum(cloud.scales[seen], np.float32(THINNEST) * longest[seen, None]),
        quats=cloud.quats[seen],
        opacities=cloud.opacities[seen],
        sh=cloud.sh[seen],
    )


def make_point_cloud(name: str, cloud: SplatCloud) -> bpy.types.PointCloud:
    """Create a data-block of the splats; of Blender's own splat kind where it has one.

    Needs `can_make_point_clouds()`.
    """
    data = bpy.data.pointclouds.new(name)
    kind = splat_kind()
    if kind is not None:
        data.type = kind
    data.resize(len(cloud))
    columns = list(_columns(cloud))
    # All are made before any is looked up: a new one may move the others in memory.
    for title, data_type, _ in columns:
        if title not in data.attributes:
            data.attributes.new(title, data_type, "POINT")
    for title, data_type, values in columns:
        flat = np.ascontiguousarray(values, dtype=np.float32).ravel()
        data.attributes[title].data.foreach_set(FIELDS[data_type], flat)
    data.update_tag()
    return data


def _columns(cloud: SplatCloud) -> Iterator[tuple[str, str, Floats]]:
    """Yield name, data type and values `[M, 3 or 4]` of every attribute."""
    yield "position", "FLOAT_VECTOR", cloud.means
    yield "scale", "FLOAT_VECTOR", cloud.scales
    yield "rotation", "QUATERNION", cloud.quats
    yield "radiance:base", "FLOAT4", np.column_stack([cloud.sh[:, 0], cloud.opacities])
    for index in range(1, cloud.sh.shape[1]):
        yield f"radiance:sh_{index - 1}", "FLOAT_VECTOR", cloud.sh[:, index]
