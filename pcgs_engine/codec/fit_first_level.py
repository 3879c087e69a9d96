"""How much of a file level 1 takes: an order of leaving and a wanted part in, a file out.

Learned masks leave the levels nearly equal in anchors, so that level 1 pays for all of them. What
leaves it is coded once, with level 2. How many bytes that moves is known only by coding.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ..bitstream import laid_out_size
from .encoded_scene import EncodedScene

__all__ = ["first_level_part", "fit_first_level"]

Int64Array = npt.NDArray[np.int64]

TOLERANCE = 0.002
"""A part this much below the wanted one is good enough; 0.01 would cost level 1 0.1 dB."""
MARGIN = 0.0005
"""Tries aim this much below the wanted part."""
MOST_TRIES = 8
USUAL_SLOPE = -0.35
"""Change of the part by the share of anchors that leave: -0.25 to -0.45 on four scenes."""


def first_level_part(encoded: EncodedScene, front: int) -> float:
    """Return what level 1 takes of the whole file, 0..1; `front` bytes come before its chunks."""
    sizes = [len(chunk.data) for chunk in encoded.chunks]
    total = laid_out_size(len(encoded.levels), [front, *sizes])
    later = sum(len(chunk.data) for chunk in encoded.chunks if chunk.level > 1)
    return (total - later) / total


def fit_first_level(
    whole: EncodedScene,
    encode: Callable[[Int64Array], EncodedScene],
    order: Int64Array,  # [n]
    *,
    wanted: float,
    front: int,
) -> EncodedScene:
    """Let as few anchors leave level 1 as bring its part down to `wanted`.

    Args:
        whole: the file from whose level 1 none have left.
        encode: makes the file from whose level 1 the given anchors have left.
        order: who may leave, the first one first.
        wanted: largest part that level 1 may take, 0..1.
        front: bytes of metadata and thumbnail, which count for level 1.

    Returns:
        The tried file that comes nearest from below; where none does, the one with the least part.
    """
    part = first_level_part(whole, front)
    best, best_part, count = whole, part, 0
    slope = USUAL_SLOPE / max(whole.levels[0].anchors, 1)
    for _ in range(MOST_TRIES):
        if wanted - TOLERANCE <= part <= wanted or (count == 0 and part <= wanted):
            break
        step = (wanted - MARGIN - part) / slope
        following = int(np.clip(round(count + step), 0, len(order)))
        if following == count:
            break
        encoded = encode(order[:following])
        found = first_level_part(encoded, front)
        slope = min((found - part) / (following - count), 0.2 * slope)
        part, count = found, following
        if _better(part, best_part, wanted):
            best, best_part = encoded, part
    return best


def _better(part: float, than: float, wanted: float) -> bool:
    """Say whether `part` is nearer to `wanted` from below, or smaller while both are above."""
    if part <= wanted:
        return than > wanted or part > than
    return part < than
