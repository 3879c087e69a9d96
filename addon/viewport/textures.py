"""Textures: flat float arrays to GPU textures, clouds to the set of textures they are drawn from.

Every failure to get GPU memory comes out as `UploadError`.
"""

from collections.abc import Hashable
from dataclasses import dataclass

import gpu
import numpy as np
import numpy.typing as npt

from pcgs_engine.splats import SplatCloud

from .cloud_packing import COLOR_WIDTH, RECORD_WIDTH, PackedCloud, pack_cloud

__all__ = ["CloudStore", "CloudTextures", "UploadError", "empty_texture", "float_texture"]


class UploadError(Exception):
    """The GPU has no room for something: show less (a lower level), or close other programs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudTextures:
    """A cloud on the GPU; layouts as in `PackedCloud`."""

    count: int
    degree: int
    scale_unit: float
    low: npt.NDArray[np.float32]  # [3]
    high: npt.NDArray[np.float32]  # [3]
    positions: gpu.types.GPUTexture
    rotations: gpu.types.GPUTexture
    scales: gpu.types.GPUTexture
    colors: gpu.types.GPUTexture
    gpu_bytes: int


class CloudStore:
    """Clouds on the GPU, each once, however many objects and views show it."""

    def __init__(self) -> None:
        self._clouds: dict[Hashable, CloudTextures] = {}

    def __len__(self) -> int:
        """How many clouds are held."""
        return len(self._clouds)

    def __contains__(self, key: Hashable) -> bool:
        """Whether a cloud is held."""
        return key in self._clouds

    @property
    def gpu_bytes(self) -> int:
        """Memory of all textures."""
        return sum(cloud.gpu_bytes for cloud in self._clouds.values())

    def keys(self) -> tuple[Hashable, ...]:
        """Keys held, the least recently used first."""
        return tuple(self._clouds)

    def textures(self, key: Hashable, cloud: SplatCloud) -> CloudTextures:
        """Return a cloud's textures, uploaded where they are not there yet.

        Raises:
            UploadError: the GPU has no room for them.
        """
        held = self._clouds.pop(key, None) or upload_cloud(pack_cloud(cloud))
        self._clouds[key] = held  # the last used comes last
        return held

    def add(self, key: Hashable, packed: PackedCloud) -> None:
        """Upload a cloud that was packed elsewhere; errors as for `textures`."""
        self._clouds[key] = upload_cloud(packed)

    def drop(self, key: Hashable) -> None:
        """Free one cloud."""
        self._clouds.pop(key, None)

    def free(self) -> None:
        """Free all."""
        self._clouds.clear()


def upload_cloud(packed: PackedCloud) -> CloudTextures:
    """Return the textures of a packed cloud; errors as for `CloudStore.textures`."""
    return CloudTextures(
        count=packed.count,
        degree=packed.degree,
        scale_unit=packed.scale_unit,
        low=packed.low,
        high=packed.high,
        positions=float_texture(packed.positions, RECORD_WIDTH, "RGBA32F"),
        rotations=float_texture(packed.rotations, RECORD_WIDTH, "RGBA16F"),
        scales=float_texture(packed.scales, RECORD_WIDTH, "RGBA16F"),
        colors=float_texture(packed.colors, COLOR_WIDTH, "RGBA16F"),
        gpu_bytes=packed.gpu_bytes,
    )


def float_texture(
    values: npt.NDArray[np.float32],  # [rows * width * channels]
    width: int,
    form: str,
) -> gpu.types.GPUTexture:
    """Return a texture of whole rows; raises `UploadError`."""
    channels = 4 if form.startswith("RGBA") else 1
    rows = values.size // (width * channels)
    _check_rows(rows)
    try:
        buffer = gpu.types.Buffer("FLOAT", values.size, values)
        return gpu.types.GPUTexture((width, rows), format=form, data=buffer)
    except (RuntimeError, MemoryError) as error:
        raise UploadError(
            f"{values.nbytes / 1e6:.0f} MB did not fit on the GPU ({error})"
        ) from error


def empty_texture(width: int, rows: int, form: str) -> gpu.types.GPUTexture:
    """Return a texture with no content yet; raises `UploadError`."""
    _check_rows(rows)
    try:
        return gpu.types.GPUTexture((width, rows), format=form)
    except (RuntimeError, MemoryError) as error:
        raise UploadError(f"{width} x {rows} {form} did not fit on the GPU ({error})") from error


def _check_rows(rows: int) -> None:
    most = gpu.capabilities.max_texture_size_get()
    if rows > most:
        raise UploadError(f"{rows} texture rows are more than this GPU's {most}")
