"""One level's chunks to the next canvas. Walks `coding_order`; FORMAT.md §7."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..bitstream import ChunkType, DecodeLimits, LevelRecord, check_limit
from ..entropy.backend import EntropyBackend
from ..entropy.context_model import ContextModel
from ..entropy.distribution import Distribution
from ..entropy.level_distributions import LevelDistributions
from ..entropy.octree import decode_positions
from ..entropy.stream_list import StreamReader
from ..entropy.symbol_stream import decode_symbols
from ..entropy.tables import Tables
from ..errors import ChecksumError
from .anchor_canvas import AnchorCanvas
from .coding_order import code_level
from .decoded_scene import with_trit_networks
from .mask_chunk import unpack_masks
from .weight_layout import gain_widths, trit_layers, unpack_arrays, unpack_dense

__all__ = ["decode_level", "with_level_weights"]

Int64Array = npt.NDArray[np.int64]


def decode_level(
    canvas: AnchorCanvas,
    model: ContextModel,
    parts: dict[ChunkType, bytes],
    record: LevelRecord,
    *,
    tables: Tables,
    limits: DecodeLimits,
    backend: EntropyBackend,
) -> AnchorCanvas:
    """Decode the level after `canvas` and check its digest.

    Args:
        canvas: state after the level before.
        model: networks, this level's weights included (`with_level_weights`).
        parts: all chunks of the level.
        record: what the table says of it.
        tables: table bank.
        limits: what may be allocated.
        backend: who runs the range coder.

    Raises:
        BitstreamError: a chunk is damaged, beyond the limits, or the digest differs.
    """
    config = model.config
    per_anchor = 4 * (config.feature_dim + 9 + 4 * config.num_offsets)
    per_anchor += 8 * config.hash_grid.output_dim
    place = f"level {record.level}: canvas bytes"
    check_limit(place, record.anchors * per_anchor, limits.canvas_bytes)
    port = _DecoderPort(parts, record.anchors - len(canvas.positions), backend)
    law = LevelDistributions(model=model, tables=tables, level=record.level)
    result = code_level(canvas, law, port)
    port.finish()
    found = result.digest()
    if found != record.digest or result.num_gaussians != record.gaussians:
        raise ChecksumError(
            f"level {record.level}: decoded integers have digest {found.hex()}, wanted "
            f"{record.digest.hex()}; this machine computes the context model differently, "
            "encode again or report it"
        )
    return result


def with_level_weights(
    model: ContextModel, level: int, parts: dict[ChunkType, bytes], limits: DecodeLimits
) -> ContextModel:
    """Return the model with the gain rows (and trinomial networks) that `level` brings.

    Raises:
        BitstreamError: a chunk is damaged or beyond the limits.
    """
    context, config = model.context, model.config
    if ChunkType.TRIT_NETWORKS in parts:
        layers = trit_layers(config)
        data = parts[ChunkType.TRIT_NETWORKS]
        dense = unpack_dense(ChunkType.TRIT_NETWORKS, data, layers, limits)
        context = with_trit_networks(context, dense)
    shapes: list[tuple[int, ...]] = [(n,) for n in gain_widths(config, level)]
    rows = unpack_arrays(ChunkType.GAINS, parts[ChunkType.GAINS], shapes, limits)
    names = ("hash_gain", "feature_trit_gain", "scaling_trit_gain")
    gains = {}
    for name, row in zip(names, rows, strict=False):
        gains[name] = getattr(context, name).copy()
        gains[name][level - 1] = row
    return replace(model, context=replace(context, **gains))


class _DecoderPort:
    """Reads the symbols of a level from its chunks."""

    def __init__(
        self, parts: dict[ChunkType, bytes], anchors: int, backend: EntropyBackend
    ) -> None:
        self._parts = parts
        self._anchors = anchors
        self._backend = backend
        self._readers: dict[ChunkType, StreamReader] = {}

    def positions(self) -> npt.NDArray[np.int32]:
        """Read the lattice positions."""
        return decode_positions(self._parts[ChunkType.POSITIONS], self._anchors, self._backend)

    def masks(self, unset: npt.NDArray[np.bool_], old: int) -> npt.NDArray[np.bool_]:
        """Read what becomes present."""
        return unpack_masks(self._parts[ChunkType.MASKS], unset, old, self._backend)

    def symbols(self, kind: ChunkType, part: int, distribution: Distribution) -> Int64Array:
        """Read one stream; parts come in order."""
        if part == 0:
            self._readers[kind] = StreamReader(self._parts[kind])
        return decode_symbols(self._readers[kind].take(), distribution, self._backend)

    def finish(self) -> None:
        """Check that all chunks were used up."""
        for reader in self._readers.values():
            reader.finish()
