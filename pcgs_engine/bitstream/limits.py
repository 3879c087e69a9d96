"""What a reader accepts before it allocates anything. FORMAT.md §9."""

from dataclasses import dataclass

from ..config import check_range

__all__ = ["DecodeLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeLimits:
    """Upper bounds; a file beyond one of them is refused with LimitExceededError."""

    levels: int = 16
    """Levels of a file."""
    anchors: int = 1 << 24
    """Anchors of the last level."""
    anchors_per_byte: int = 64
    """Anchors a level may have per byte of its position chunk."""
    chunks: int = 4096
    """Entries of the chunk table."""
    metadata_bytes: int = 4 << 20
    """Size of a JSON chunk."""
    thumbnail_bytes: int = 1 << 16
    """Size of the thumbnail."""
    weights: int = 1 << 23
    """Weights of one network chunk."""
    hash_signs: int = 1 << 24
    """Entries of the hash grid."""
    cameras: int = 1 << 20
    """Camera centres."""
    canvas_bytes: int = 1 << 31
    """Decoded integers of all anchors."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ConfigError: a limit is not positive.
        """
        for name in self.__slots__:
            check_range(self, name, 1, 1 << 62)
