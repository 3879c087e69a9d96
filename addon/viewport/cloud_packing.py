"""A `SplatCloud` to the flat float arrays that fill its textures. Numpy only; runs in any thread.

Positions stay float32; shapes and colours become half floats on the GPU. Scales are stored over a
power of two near their middle, so that half floats hold splats of any world unit.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pcgs_engine.splats import SplatCloud

__all__ = ["COLOR_WIDTH", "RECORD_WIDTH", "PackedCloud", "color_texels", "importance", "pack_cloud"]

Floats = npt.NDArray[np.float32]

RECORD_WIDTH = 2048
"""Texels in a row of all textures with one texel a splat."""
COLOR_WIDTH = 4096
"""Texels in a row of the colour texture, which has several a splat."""

HALF_MAX = 6.0e4
"""Below the largest half float."""
SCALE_MIN, SCALE_MAX = 1e-30, 1e30


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedCloud:
    """Flat arrays, whole texture rows each (padded with zeros), 4 floats a texel."""

    count: int
    degree: int
    """Degree of the spherical harmonics, 0..3."""
    scale_unit: float
    positions: Floats
    """x, y, z, opacity (0 = never drawn)."""
    rotations: Floats
    """w, x, y, z."""
    scales: Floats
    """Standard deviations over `scale_unit`."""
    colors: Floats
    """Harmonics, three numbers each, `color_texels(degree)` texels a splat."""

    @property
    def gpu_bytes(self) -> int:
        """Memory of the textures."""
        halves = self.rotations.size + self.scales.size + self.colors.size
        return 4 * self.positions.size + 2 * halves


def color_texels(degree: int) -> int:
    """Texels that hold the `3 (degree + 1)²` numbers of one splat's colour."""
    return -(-3 * (degree + 1) ** 2 // 4)


def pack_cloud(cloud: SplatCloud) -> PackedCloud:
    """Return the arrays; splats with a number that is not finite get opacity 0."""
    count = len(cloud)
    finite = np.isfinite(cloud.means).all(1) & np.isfinite(cloud.scales).all(1)
    finite &= np.isfinite(cloud.quats).all(1) & np.isfinite(cloud.opacities)
    finite &= np.isfinite(cloud.sh).all((1, 2))
    opacities = np.where(finite, cloud.opacities, np.float32(0.0))
    scales = np.where(finite[:, None], cloud.scales, np.float32(0.0))
    unit = _scale_unit(cloud.scales[finite])
    texels = color_texels(cloud.sh_degree)
    colors = np.zeros((count, 4 * texels), np.float32)
    sh = cloud.sh.reshape(count, cloud.sh.shape[1] * 3)
    colors[:, : sh.shape[1]] = np.clip(np.nan_to_num(sh), -HALF_MAX, HALF_MAX)
    return PackedCloud(
        count=count,
        degree=cloud.sh_degree,
        scale_unit=unit,
        positions=_rows([np.nan_to_num(cloud.means), opacities[:, None]], RECORD_WIDTH),
        rotations=_rows([_unit_quats(cloud.quats)], RECORD_WIDTH),
        scales=_rows([np.clip(scales / np.float32(unit), 0.0, HALF_MAX)], RECORD_WIDTH),
        colors=_rows([colors.reshape(count * texels, 4)], COLOR_WIDTH),
    )


def importance(cloud: SplatCloud) -> Floats:
    """How much each splat can be seen, `[M]`: opacity times the area of its two longest axes."""
    axes = np.sort(np.nan_to_num(cloud.scales), axis=1)
    return np.asarray(np.nan_to_num(cloud.opacities) * axes[:, 1] * axes[:, 2])


def _scale_unit(scales: Floats) -> float:
    if not scales.size:
        return 1.0
    logs = np.log2(np.clip(scales, SCALE_MIN, SCALE_MAX))
    return float(2.0 ** round(float(np.median(logs))))


def _unit_quats(quats: Floats) -> Floats:
    quats = np.nan_to_num(quats)
    lengths = np.linalg.norm(quats, axis=1, keepdims=True)
    # A zero quaternion means no rotation, as in the engine.
    return np.where(
        lengths > 0.0,
        quats / np.maximum(lengths, np.float32(1e-20)),
        np.array([1.0, 0.0, 0.0, 0.0], np.float32),
    )


def _rows(columns: list[Floats], width: int) -> Floats:
    """Columns `[M, ...]` side by side, 4 floats a row of the result, padded to whole rows."""
    count = len(columns[0])
    texels = max(1, -(-count // width)) * width
    out = np.zeros((texels, 4), np.float32)
    at = 0
    for column in columns:
        out[:count, at : at + column.shape[1]] = column
        at += column.shape[1]
    return out.reshape(-1)
