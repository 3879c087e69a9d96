"""The closed set of chunk types this version writes. FORMAT.md §4."""

import enum

__all__ = ["ChunkType", "is_ancillary"]


class ChunkType(enum.Enum):
    """Four ASCII letters; a lower-case first letter means that a reader may skip the chunk."""

    METADATA = b"mETA"
    """JSON: title, quality per level, cameras, training settings."""
    THUMBNAIL = b"tHMB"
    """A small JPEG or PNG of the scene."""
    MODEL = b"MODL"
    """JSON: model config, voxel size, distance unit."""
    CAMERAS = b"CAMC"
    """Training camera centres."""
    NETWORKS = b"NETW"
    """Context networks every level needs."""
    HEAD = b"HEAD"
    """Attribute MLPs."""
    HASH_GRID = b"HASH"
    """Box and signs of the hash grid."""
    GAINS = b"GAIN"
    """Modulation rows of one level."""
    TRIT_NETWORKS = b"TNET"
    """Trinomial networks; come with level 2."""
    RANKS = b"RANK"
    """Which refinements of old anchors come in which package."""
    POSITIONS = b"POSN"
    """Lattice positions of new anchors."""
    FEATURES = b"FEAT"
    """Features of new anchors."""
    SCALING = b"SCAL"
    """Scaling of new anchors."""
    MASKS = b"MASK"
    """Gaussian masks that become set."""
    OFFSETS = b"OFFS"
    """Offsets of Gaussians that become present."""
    REFINEMENTS = b"REFN"
    """One package of refinement trits of old anchors; parts 1, 2, ... of a level."""


def is_ancillary(code: bytes) -> bool:
    """Return whether a reader that does not know type `code` may skip it."""
    return bool(code[0] & 0x20)
