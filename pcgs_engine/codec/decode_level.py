"""One level's chunks to the next canvas. Walks `coding_order`; FORMAT.md §7."""

import numpy as np
import numpy.typing as npt

from ..bitstream import ChunkRecord, ChunkType, DecodeLimits, LevelRecord, check_limit
from ..entropy.backend import EntropyBackend
from ..entropy.context_model import ContextModel
from ..entropy.distribution import Distribution
from ..entropy.lane_stream import LaneDecoder
from ..entropy.level_distributions import LevelDistributions
from ..entropy.mask_law import MaskAnchors, MaskLaw
from ..entropy.octree import decode_positions
from ..entropy.refinement_laws import RefinementLaws
from ..entropy.stream_list import StreamReader
from ..errors import ChecksumError, MalformedError
from .anchor_canvas import AnchorCanvas
from .coding_order import SymbolStream, code_level, code_refinement
from .error_place import named_place
from .mask_chunk import unpack_mask_law
from .rank_chunk import unpack_ranks
from .refinement_chunk import unpack_refinement

__all__ = ["ReceivedChunk", "decode_level", "decode_refinement"]

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]

ReceivedChunk = tuple[ChunkRecord, bytes]
"""A chunk whose checksum is right."""


def decode_level(
    canvas: AnchorCanvas,
    model: ContextModel,
    chunks: dict[ChunkType, ReceivedChunk],
    record: LevelRecord,
    *,
    limits: DecodeLimits,
    backend: EntropyBackend,
) -> AnchorCanvas:
    """Decode the core of the level after `canvas`; every chunk's digest is checked.

    Args:
        canvas: state after the level before.
        model: networks, this level's weights included (`with_level_weights`).
        chunks: all core chunks of the level.
        record: what the table says of it.
        limits: what may be allocated.
        backend: who runs the range coder.

    Raises:
        BitstreamError: a chunk is damaged, beyond the limits, or its digest differs.
    """
    config = model.config
    per_anchor = 4 * (config.feature_dim + 9 + 4 * config.num_offsets)
    per_anchor += 2 * config.hash_grid.output_dim
    place = f"level {record.level}: canvas bytes"
    check_limit(place, record.anchors * per_anchor, limits.canvas_bytes)
    old = canvas.counts[-1] if canvas.counts else 0
    port = _DecoderPort(chunks, record.anchors - old, backend)
    with named_place(lambda: port.place):
        result = code_level(canvas, LevelDistributions(model=model, level=record.level), port)
    if result.num_gaussians != record.gaussians:
        raise MalformedError(
            f"level {record.level}: {result.num_gaussians} Gaussians, wanted {record.gaussians}"
        )
    return result


def decode_refinement(
    canvas: AnchorCanvas, laws: RefinementLaws, chunk: ReceivedChunk, backend: EntropyBackend
) -> AnchorCanvas:
    """Apply one refinement package; errors as for `decode_level`."""
    record, data = chunk
    with named_place(lambda: record.name):
        blocks, stream = unpack_refinement(data, *canvas.depths.shape[1:])
        port = _DecoderPort({ChunkType.REFINEMENTS: (record, stream)}, 0, backend)
        return code_refinement(canvas, laws, blocks, port)


class _DecoderPort:
    """Reads the symbols of a level from its chunks."""

    def __init__(
        self,
        chunks: dict[ChunkType, ReceivedChunk],
        new: int,
        backend: EntropyBackend,
    ) -> None:
        self._chunks = chunks
        self._new = new
        self._backend = backend
        self._stream: _Stream | None = None
        self._mask_stream = b""
        self.place = ""
        """Chunk that is being read."""

    def positions(self) -> Int32Array:
        """Read the lattice positions."""
        return decode_positions(self._data(ChunkType.POSITIONS), self._new, self._backend)

    def ranks(self, count: int, ranks: int) -> npt.NDArray[np.uint8]:
        """Read the ranks of the anchors of the level before."""
        return unpack_ranks(self._data(ChunkType.RANKS), count, ranks, self._backend)

    def mask_law(self, model: ContextModel, anchors: MaskAnchors) -> MaskLaw:
        """Read the law that stands before the mask bits."""
        reader = StreamReader(self._data(ChunkType.MASKS))
        law = unpack_mask_law(reader.take(), model.config, model.tables, anchors.old, self._backend)
        self._mask_stream = reader.take()
        reader.finish()
        return law

    def open(self, kind: ChunkType, rows: int, symbols_per_row: int) -> SymbolStream:
        """Begin reading a chunk; the writer chose the lanes."""
        data = self._mask_stream if kind is ChunkType.MASKS else self._data(kind)
        self._stream = _Stream(LaneDecoder(data, rows, self._backend))
        return self._stream

    def seal(self, kind: ChunkType, digest: bytes) -> None:
        """Check that the chunk was used up and decoded to what was encoded."""
        record = self._chunks[kind][0]
        if digest != record.digest:
            raise ChecksumError(
                f"{record.name}: decoded integers have digest {digest.hex()}, wanted "
                f"{record.digest.hex()}; the file is damaged, or this machine computes the "
                "context model differently: encode it again, and report it"
            )
        if self._stream is not None:  # last: wrong symbols would be told as wrong lane sizes
            self._stream.decoder.finish()
            self._stream = None

    def _data(self, kind: ChunkType) -> bytes:
        record, data = self._chunks[kind]
        self.place = record.name
        return data


class _Stream:
    """A lane decoder as the walk sees it."""

    def __init__(self, decoder: LaneDecoder) -> None:
        self.decoder = decoder

    def code(self, distribution: Distribution, counts: int | Int64Array) -> Int32Array:
        """Read the next pass."""
        return self.decoder.take(distribution, counts)
