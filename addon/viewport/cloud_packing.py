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
REACH = 3.33
"""Standard deviations from a splat's centre to its rim at most (glsl.projection)."""
SCALE_MIN, SCALE_MAX = 1e-30, 1e30


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedCloud:
    """Flat arrays, whole texture rows each (padded with zeros), 4 floats a texel."""

    count: int
    degree: int
    """Degree of the spherical harmonics, 0..3."""
    scale_unit: float
    low: Floats
    """Corner `[3]` of the box that holds all splats to their rims."""
    high: Floats
    """The opposite corner."""
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
    cloud, finite = _made_finite(cloud)
    count = len(cloud)
    unit = _scale_unit(cloud.scales[finite])
    low, high = _box(cloud.means[finite], cloud.scales[finite])
    scales = np.clip(cloud.scales / np.float32(unit), 0.0, HALF_MAX)
    return PackedCloud(
        count=count,
        degree=cloud.sh_degree,
        scale_unit=unit,
        low=low,
        high=high,
        positions=_rows([cloud.means, cloud.opacities[:, None]], 1, RECORD_WIDTH),
        rotations=_rows([_unit_quats(cloud.quats)], 1, RECORD_WIDTH),
        scales=_rows([scales], 1, RECORD_WIDTH),
        colors=_rows(
            [cloud.sh.reshape(count, 3 * cloud.sh.shape[1])],
            color_texels(cloud.sh_degree),
            COLOR_WIDTH,
        ),
    )


def _made_finite(cloud: SplatCloud) -> tuple[SplatCloud, npt.NDArray[np.bool_]]:
    """Return the cloud with bad splats made harmless, and which are good, `[M]`."""
    finite = np.ones(len(cloud), np.bool_)
    values = {}
    for name in ("means", "scales", "quats", "opacities", "sh"):
        array = getattr(cloud, name)
        limit = HALF_MAX if name == "sh" else np.finfo(np.float32).max
        # Two quick passes tell for nearly all clouds that nothing needs to be done.
        if array.size and not (array.min() >= -limit and array.max() <= limit):
            finite &= np.isfinite(array).reshape(len(cloud), -1).all(axis=1)
            array = np.clip(np.nan_to_num(array), -limit, limit)
        values[name] = array
    if not finite.all():
        values["opacities"] = np.where(finite, values["opacities"], np.float32(0.0))
        values["scales"] = np.where(finite[:, None], values["scales"], np.float32(0.0))
    return SplatCloud(**values), finite


def importance(cloud: SplatCloud) -> Floats:
    """How much each splat can be seen, `[M]`: opacity times the area of its two longest axes."""
    axes = np.sort(np.nan_to_num(cloud.scales), axis=1)
    return np.asarray(np.nan_to_num(cloud.opacities) * axes[:, 1] * axes[:, 2])


def _box(means: Floats, scales: Floats) -> tuple[Floats, Floats]:
    if not len(means):
        return np.zeros(3, np.float32), np.zeros(3, np.float32)
    reach = REACH * scales.max(axis=1, keepdims=True)
    return (means - reach).min(axis=0), (means + reach).max(axis=0)


def _scale_unit(scales: Floats) -> float:
    if not scales.size:
        return 1.0
    some = scales[:: 1 + len(scales) // 10_000]
    logs = np.log2(np.clip(some, SCALE_MIN, SCALE_MAX))
    return float(2.0 ** round(float(np.median(logs))))


def _unit_quats(quats: Floats) -> Floats:
    lengths = np.sqrt(np.einsum("mk,mk->m", quats, quats))[:, None]
    # A zero quaternion means no rotation, as in the engine.
    return np.where(
        lengths > 0.0,
        quats / np.maximum(lengths, np.float32(1e-20)),
        np.array([1.0, 0.0, 0.0, 0.0], np.float32),
    )


def _rows(columns: list[Floats], texels: int, width: int) -> Floats:
    """Columns `[M, ...]` side by side in `texels` texels a splat, padded to whole texture rows."""
    count = len(columns[0])
    rows = max(1, -(-count * texels // width))
    out = np.zeros(rows * width * 4, np.float32)
    table = out[: count * texels * 4].reshape(count, texels * 4)
    at = 0
    for column in columns:
        table[:, at : at + column.shape[1]] = column
        at += column.shape[1]
    return out
