"""MASK chunks: which absent Gaussians become present, each way. FORMAT.md §7.2."""

import numpy as np
import numpy.typing as npt

from ..entropy.backend import EntropyBackend
from ..entropy.bit_stream import decode_bits, encode_bits

__all__ = ["pack_masks", "unpack_masks"]

BoolArray = npt.NDArray[np.bool_]


def pack_masks(fresh: BoolArray, unset: BoolArray, old: int, backend: EntropyBackend) -> bytes:
    """Encode `fresh` at the places of `unset`, both `[N, K]`; rows `old` on are new anchors."""
    return encode_bits(fresh[unset], _classes(unset, old), 2 * unset.shape[1], backend)


def unpack_masks(data: bytes, unset: BoolArray, old: int, backend: EntropyBackend) -> BoolArray:
    """Return `[N, K]` of what becomes present.

    Raises:
        MalformedError: the chunk is not a list of that many bits.
    """
    fresh = np.zeros(unset.shape, dtype=np.bool_)
    fresh[unset] = decode_bits(data, _classes(unset, old), 2 * unset.shape[1], backend)
    return fresh


def _classes(unset: BoolArray, old: int) -> npt.NDArray[np.int64]:
    """Class k for old anchors, K + k for new ones."""
    rows, columns = np.nonzero(unset)
    return columns + np.where(rows >= old, unset.shape[1], 0).astype(np.int64)
