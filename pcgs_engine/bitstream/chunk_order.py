"""Which chunk types a level has and in what order, stated once. FORMAT.md §4."""

from collections.abc import Sequence

from ..errors import MalformedError
from .chunk_type import ChunkType

__all__ = ["OPTIONAL", "SCENE_CHUNKS", "check_chunk_order", "level_chunks"]

SCENE_CHUNKS = (
    ChunkType.METADATA,
    ChunkType.THUMBNAIL,
    ChunkType.MODEL,
    ChunkType.CAMERAS,
    ChunkType.NETWORKS,
    ChunkType.HEAD,
    ChunkType.HASH_GRID,
)
"""Chunks of level 0, in file order."""
OPTIONAL = frozenset({ChunkType.METADATA, ChunkType.THUMBNAIL})
"""Those of SCENE_CHUNKS that may be absent."""


def level_chunks(level: int) -> tuple[ChunkType, ...]:
    """Return the core of `level` (1-based) in file order, which is decode order.

    From level 2 on any number of ChunkType.REFINEMENTS follows, parts 1, 2, ...
    """
    nets = [ChunkType.TRIT_NETWORKS] if level == 2 else []
    ranks = [ChunkType.RANKS] if level > 1 else []
    return (
        ChunkType.GAINS,
        *nets,
        *ranks,
        ChunkType.POSITIONS,
        ChunkType.FEATURES,
        ChunkType.SCALING,
        ChunkType.MASKS,
        ChunkType.OFFSETS,
    )


def check_chunk_order(level: int, found: Sequence[tuple[ChunkType, int]]) -> None:
    """Check the chunks of known type of a level.

    Args:
        level: 0 = chunks shared by all levels.
        found: type and part of each, in file order.

    Raises:
        MalformedError: one is missing, foreign, there twice or out of order.
    """
    present = {kind for kind, _ in found}
    core = level_chunks(level) if level else SCENE_CHUNKS
    wanted = [(kind, 0) for kind in core if kind not in OPTIONAL or kind in present]
    if level > 1:
        wanted += [(ChunkType.REFINEMENTS, part + 1) for part in range(len(found) - len(wanted))]
    for place in range(max(len(found), len(wanted))):
        is_, should = (_shown(chunks, place) for chunks in (found, wanted))
        if is_ != should:
            raise MalformedError(f"level {level}: chunk {place} is {is_}, wanted {should}")


def _shown(chunks: Sequence[tuple[ChunkType, int]], place: int) -> str:
    if place >= len(chunks):
        return "absent"
    kind, part = chunks[place]
    return f"{kind.value.decode('ascii')} part {part}"
