"""Small integers, mostly near zero, to bytes and back: the weights of a mask net. FORMAT.md §7.2.

Each array has one byte that names its spread; all symbols follow in one stream.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..errors import MalformedError
from .backend import EntropyBackend
from .distribution import MixtureDistribution
from .ideal_bits import ideal_bits
from .lane_stream import decode_symbols, encode_symbols
from .tables import Tables

__all__ = ["pack_small_weights", "small_weight_bytes", "unpack_small_weights"]

Int8Array = npt.NDArray[np.int8]

SPREADS = 8
"""Wide components of sigma 1/4, 1/2 ... 32."""
WIDE_ORIGIN, WIDE_STEP, NARROW = 80, 16, 40
"""Scale index of the narrowest wide component, the distance to the next (an octave), and how far
the narrow component lies below the wide one."""
NARROW_WEIGHTS = (0, 96, 160, 208)
LARGEST = 127


def pack_small_weights(
    arrays: Sequence[Int8Array], tables: Tables, backend: EntropyBackend
) -> bytes:
    """Encode arrays whose shapes the reader knows."""
    shapes = [_best_shape(array, tables) for array in arrays]
    law = _law(shapes, [array.size for array in arrays], tables)
    values = np.concatenate([array.ravel() for array in arrays])
    return bytes(shapes) + encode_symbols(values, law, backend)


def unpack_small_weights(
    data: bytes, sizes: Sequence[int], tables: Tables, backend: EntropyBackend
) -> list[Int8Array]:
    """Return the arrays, flat.

    Raises:
        MalformedError: the bytes are not arrays of these sizes.
    """
    shapes = list(data[: len(sizes)])
    if len(shapes) < len(sizes) or max(shapes) >= SPREADS * len(NARROW_WEIGHTS):
        raise MalformedError(f"spreads of small weights are {shapes}, wanted {len(sizes)} below 32")
    values = decode_symbols(data[len(sizes) :], _law(shapes, sizes, tables), backend)
    if int(np.abs(values).max(initial=0)) > LARGEST:
        raise MalformedError(f"a small weight is beyond {LARGEST}")
    return np.split(values.astype(np.int8), np.cumsum(sizes)[:-1])


def small_weight_bytes(arrays: Sequence[Int8Array], tables: Tables) -> float:
    """Return the ideal length of `pack_small_weights`."""
    return sum(_shape_bits(array, _best_shape(array, tables), tables) / 8 + 1 for array in arrays)


def _best_shape(array: Int8Array, tables: Tables) -> int:
    shapes = range(SPREADS * len(NARROW_WEIGHTS))
    return min(shapes, key=lambda shape: _shape_bits(array, shape, tables))


def _shape_bits(array: Int8Array, shape: int, tables: Tables) -> float:
    """Return the ideal length; what lies beyond the window counts as its end and 16 bits."""
    law = _law([shape], [array.size], tables)
    window = law.law(slice(None))
    values = array.ravel().astype(np.int64)
    inside = np.clip(values, window.low, window.low + window.width)
    return ideal_bits(law, inside) + 16.0 * float((inside != values).sum())


def _law(shapes: Sequence[int], sizes: Sequence[int], tables: Tables) -> MixtureDistribution:
    spread, share = np.divmod(np.repeat(shapes, sizes), len(NARROW_WEIGHTS))
    wide = WIDE_ORIGIN + WIDE_STEP * spread
    return MixtureDistribution.from_parameters(
        np.zeros((2, len(wide)), dtype=np.int32),
        np.stack([wide - NARROW, wide]),
        np.array(NARROW_WEIGHTS)[share],
        tables,
    )
