"""The chain of digests through the chunks: integers in, 8 bytes out. FORMAT.md §3.1."""

import hashlib

from .chunk_type import ChunkType

__all__ = ["DIGEST_SIZE", "NO_DIGEST", "chained_digest", "holds_integers"]

DIGEST_SIZE = 8
NO_DIGEST = bytes(DIGEST_SIZE)
"""Digest of the chunks of level 0, and what the chain starts from."""
WITHOUT_INTEGERS = frozenset({ChunkType.GAINS, ChunkType.TRIT_NETWORKS})


def chained_digest(before: bytes, integers: bytes) -> bytes:
    """Return the digest of a chunk.

    Args:
        before: digest of the chunk before it in the file; NO_DIGEST for the first of level 1.
        integers: what the chunk decodes to, as FORMAT.md §7 lays it out.
    """
    state = hashlib.blake2b(before, digest_size=DIGEST_SIZE)
    state.update(integers)
    return state.digest()


def holds_integers(kind: ChunkType | None) -> bool:
    """Return whether a chunk of a level >= 1 goes into the chain.

    The others, and chunks of unknown type (None), repeat the digest of the chunk before.
    """
    return kind is not None and kind not in WITHOUT_INTEGERS
