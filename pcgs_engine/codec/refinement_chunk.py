"""REFN chunks: which blocks a package refines, then their trits. FORMAT.md §7.6."""

import numpy as np

from ..entropy.refinement_laws import Block
from ..entropy.stream_list import StreamReader, join_streams
from ..entropy.varint import pack_varints, unpack_varints
from ..errors import MalformedError

__all__ = ["pack_refinement", "unpack_refinement"]


def pack_refinement(blocks: list[Block], stream: bytes) -> bytes:
    """Join the block list and the coded trits."""
    flat = [len(blocks), *(v for b in blocks for v in (b.group, b.channel))]
    return join_streams([pack_varints(np.array(flat, dtype=np.int64)), stream])


def unpack_refinement(data: bytes, groups: int, channels: int) -> tuple[list[Block], bytes]:
    """Return the blocks and the coded trits.

    Raises:
        MalformedError: a block does not exist or is there twice, or bytes are left over.
    """
    reader = StreamReader(data)
    head, stream = reader.take(), reader.take()
    reader.finish()
    count, start = unpack_varints(head, 1)
    if not 1 <= int(count[0]) <= groups * channels:
        raise MalformedError(f"REFN refines {int(count[0])} blocks, wanted 1..{groups * channels}")
    values, end = unpack_varints(head, 2 * int(count[0]), start)
    if end != len(head):
        raise MalformedError(f"{len(head) - end} bytes after the last block of REFN")
    pairs = values.reshape(-1, 2)
    if int(pairs[:, 0].max()) >= groups or int(pairs[:, 1].max()) >= channels:
        raise MalformedError(
            f"REFN names block {pairs.max(axis=0).tolist()}, wanted below {[groups, channels]}"
        )
    blocks = [Block(group=int(g), channel=int(c)) for g, c in pairs]
    if len(set(blocks)) != len(blocks):
        raise MalformedError("REFN refines a block twice")
    return blocks, stream
