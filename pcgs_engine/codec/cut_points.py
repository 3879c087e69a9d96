"""Where a file may be cut and still be decoded to the end: a chunk table in, places out.

After the core of each level (the anchors and Gaussians it adds) and after each of its refinement
packages. FORMAT.md §1.
"""

from dataclasses import dataclass

from ..bitstream import ChunkTable, ChunkType

__all__ = ["CutPoint", "cut_points"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CutPoint:
    """A prefix of whole chunks after which everything received can be shown."""

    level: int
    part: int
    """Refinement packages of that level in the prefix."""
    end: int
    """Length of the prefix, bytes."""
    chunks: int
    """Number of chunks in the prefix."""
    partial: bool
    """Whether the level has more packages than the prefix."""


def cut_points(table: ChunkTable) -> tuple[CutPoint, ...]:
    """Return all places, first to last; the last one is the end of the file.

    Chunks of unknown type belong to the place before them.
    """
    found, part = [], 0
    for count, chunk in enumerate(table.chunks, start=1):
        if chunk.level == 0:
            continue
        if chunk.kind is ChunkType.REFINEMENTS:
            part = chunk.part
        following = table.chunks[count] if count < len(table.chunks) else None
        more = following is not None and following.level == chunk.level
        if following is not None and more and following.kind is not ChunkType.REFINEMENTS:
            continue
        found.append(
            CutPoint(level=chunk.level, part=part, end=chunk.end, chunks=count, partial=more)
        )
        if not more:
            part = 0
    return tuple(found)
