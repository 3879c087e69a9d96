"""Display colours to the nearest ones that a view transform can show: sRGB values in, sRGB out.

AgX shows no bright saturated colours at all: the inverse of pure yellow is a scene colour that AgX
then shows as salmon (4.2 to 4.5) or olive (5.2). `agx_reach.npz` holds, for a grid of 33³ display
colours, the way to the nearest reachable one (in Oklab), zero for half of them; made from Blender's
own transform by tools/measure_agx_reach.py.
"""

import functools
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["reachable_in_agx"]

Floats = npt.NDArray[np.float32]

TABLE = Path(__file__).with_name("agx_reach.npz")


@functools.cache
def _offsets() -> Floats:
    """The table, `[n, n, n, 3]`, offsets by red, green and blue."""
    with np.load(TABLE) as arrays:
        return np.asarray(arrays["offsets"], dtype=np.float32) / np.float32(255.0)


def reachable_in_agx(
    colors: Floats,  # [..., 3]
) -> Floats:  # [..., 3]
    """Return the nearest colours AgX can show; those it can are returned as they are."""
    table = _offsets()
    size = len(table)
    colors = np.clip(colors, np.float32(0.0), np.float32(1.0))
    place = colors * np.float32(size - 1)
    low = np.minimum(place.astype(np.int32), size - 2)
    share = place - low
    offsets = np.zeros_like(colors)
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, share, np.float32(1.0) - share), axis=-1, keepdims=True)
        at = low + np.array(corner)
        offsets += weight * table[at[..., 0], at[..., 1], at[..., 2]]
    return np.clip(colors + offsets, np.float32(0.0), np.float32(1.0))
