"""ProgressiveDecoder: bytes of a `.pcgs` file in, in any pieces; anchors of each level out.

"Need more" is a state, not an error: `feed` decodes every level and every refinement whose bytes
are complete. Needs numpy only. FORMAT.md §1, §7.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..bitstream import (
    HEADER_SIZE,
    ChunkRecord,
    ChunkTable,
    ChunkType,
    DecodeLimits,
    Header,
    check_crc,
)
from ..config import ModelConfig
from ..entropy.backend import EntropyBackend, best_backend
from ..entropy.context_model import ContextModel
from ..entropy.exact_product import ExactProduct, numpy_product
from ..entropy.refinement_laws import RefinementLaws
from ..entropy.tables import load_tables
from ..entropy.weights import HeadWeights
from ..errors import BitstreamError, ConfigError, MalformedError, TruncatedError
from ..splats.anchor_set import AnchorSet
from .anchor_canvas import AnchorCanvas, empty_canvas
from .coding_order import refinement_laws
from .decode_level import ReceivedChunk, decode_level, decode_refinement
from .decoded_scene import DecodedScene, decode_scene, with_level_weights
from .error_place import named_place

__all__ = ["ProgressiveDecoder", "decode_file"]

READ_SIZE = 1 << 20
CORE_ENDS = (ChunkType.HASH_GRID, ChunkType.OFFSETS)
"""Last chunk of level 0 and of every core: the table was checked to have all before them."""


class ProgressiveDecoder:
    """State of one file being decoded.

    Example:
        >>> decoder = ProgressiveDecoder()
        >>> decoder.levels_ready
        0
    """

    def __init__(
        self,
        *,
        limits: DecodeLimits | None = None,
        backend: EntropyBackend | None = None,
        last_level: int | None = None,
        product: ExactProduct = numpy_product,
        check_crcs: bool = True,
    ) -> None:
        """Start with no bytes.

        Args:
            limits: what the file may ask for; None takes the defaults.
            backend: who runs the range coder; None takes `best_backend()`.
            last_level: levels beyond this one are not decoded; None decodes all.
            product: who multiplies the matrices of the context model.
            check_crcs: False lets damage reach the decoders; only tests want that.

        Raises:
            ConfigError: `last_level` is below 1.
        """
        if last_level is not None and last_level < 1:
            raise ConfigError(f"level is {last_level}, wanted 1 or more")
        self._limits = limits or DecodeLimits()
        self._backend = best_backend() if backend is None else backend
        self._last_level = last_level
        self._product = product
        self._check_crcs = check_crcs
        self._tables = load_tables()
        self._buffer = bytearray()
        self._buffer_start = 0
        self._header: Header | None = None
        self._table: ChunkTable | None = None
        self._next_chunk = 0
        self._chunks: dict[ChunkType, ReceivedChunk] = {}
        self._scene: DecodedScene | None = None
        self._model: ContextModel | None = None
        self._canvas: AnchorCanvas | None = None
        self._laws: RefinementLaws | None = None
        self._failure: BitstreamError | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the file and decode what they complete.

        Raises:
            BitstreamError: the bytes are damaged or beyond the limits; levels that were ready
                stay usable.
        """
        if self._failure is not None:
            raise self._failure
        self._buffer += data
        try:
            self._advance()
        except BitstreamError as error:
            self._failure = error
            raise

    def _advance(self) -> None:
        if self._header is None and len(self._buffer) >= HEADER_SIZE:
            self._header = Header.unpack(bytes(self._buffer[:HEADER_SIZE]), self._limits)
            self._drop(HEADER_SIZE)
        if self._header is None:
            return
        if self._received > self._header.file_size:
            raise MalformedError(
                f"{self._received} bytes, the header says {self._header.file_size}; "
                "the file has a foreign tail"
            )
        if self._table is None:
            if len(self._buffer) < self._header.table_size:
                return
            raw = bytes(self._buffer[: self._header.table_size])
            self._table = ChunkTable.unpack(raw, self._header, self._limits)
            self._drop(self._header.table_size)
        self._take_chunks(self._table)

    def finish(self) -> None:
        """Say that no more bytes come.

        Raises:
            TruncatedError: they end before level 1 does.
        """
        if self._header is None or self._table is None:
            raise TruncatedError(f"file ends at byte {self._received}, inside header or table")
        if not self.levels_ready:
            raise TruncatedError(
                f"file ends at byte {self._received}, wanted {self._table.levels[0].end} for "
                "level 1; fetch the rest"
            )

    @property
    def shortage(self) -> str:
        """What is missing of the wanted levels, in words; empty when nothing is."""
        if self._header is None or self._table is None:
            return f"{self._received} bytes end inside header or table"
        wanted = min(self._last_level or self._header.levels, self._header.levels)
        if self.levels_ready >= wanted:
            return ""
        end = self._table.levels[wanted - 1].end
        return (
            f"file ends at byte {self._received}, level {wanted} needs {end}; "
            f"{self.levels_ready} of {wanted} levels are usable, fetch the rest for more"
        )

    @property
    def header(self) -> Header | None:
        """The header, once its 64 bytes are there."""
        return self._header

    @property
    def table(self) -> ChunkTable | None:
        """Level and chunk records, once complete."""
        return self._table

    @property
    def levels_ready(self) -> int:
        """How many levels are decoded to their end and may be read."""
        if self._canvas is None or self._table is None:
            return 0
        return self._canvas.level - (self._canvas.part < self._parts_of(self._canvas.level))

    @property
    def refinements_ready(self) -> int:
        """Refinement packages decoded of the level after `levels_ready`; 0 also if it is absent."""
        if self._canvas is None or self._canvas.level == self.levels_ready:
            return 0
        return self._canvas.part

    @property
    def complete(self) -> bool:
        """Whether all levels of the file are decoded."""
        return self._header is not None and self.levels_ready == self._header.levels

    @property
    def metadata(self) -> dict[str, object]:
        """The JSON of chunk mETA; empty where the file has none."""
        return self._decoded_scene.metadata

    @property
    def thumbnail(self) -> bytes:
        """JPEG or PNG of the scene; empty where the file has none."""
        return self._decoded_scene.thumbnail

    @property
    def config(self) -> ModelConfig:
        """Sizes of the model."""
        return self._decoded_scene.config

    @property
    def voxel_size(self) -> float:
        """Lattice pitch, world units."""
        return self._decoded_scene.model.voxel_size

    @property
    def head(self) -> HeadWeights:
        """Attribute MLPs."""
        return self._decoded_scene.head

    @property
    def camera_centres(self) -> npt.NDArray[np.float32]:
        """Training camera centres `[V, 3]`, world units."""
        return self._decoded_scene.camera_centres

    def anchors(self, level: int) -> AnchorSet:
        """Return the dequantized anchors of a ready level.

        Raises:
            TruncatedError: the level is not ready.
            ConfigError: the file has no such level.
        """
        return self.canvas(level).to_anchors(self.voxel_size)

    def newest_anchors(self) -> AnchorSet:
        """Return everything decoded so far: the last level may not be refined to its end.

        Raises:
            TruncatedError: not even level 1 is there.
        """
        if self._canvas is None:
            raise TruncatedError("level 1 is not decoded; feed more bytes")
        return self._canvas.to_anchors(self.voxel_size)

    def digest(self, level: int) -> bytes:
        """Return the digest of a ready level's integers; errors as for `anchors`.

        Everything up to here was compared with it.
        """
        self.canvas(level)
        levels = self._table.levels if self._table else ()
        return levels[level - 1].digest

    def canvas(self, level: int) -> AnchorCanvas:
        """Return the integers of a ready level; errors as for `anchors`."""
        most = self._header.levels if self._header else self._limits.levels
        if not 1 <= level <= most:
            raise ConfigError(f"level is {level}, wanted 1..{most}")
        if self._canvas is None or level > self.levels_ready:
            raise TruncatedError(
                f"level {level} is not decoded, {self.levels_ready} of {most} are; feed more bytes"
            )
        return self._canvas.at_level(level)

    @property
    def _received(self) -> int:
        return self._buffer_start + len(self._buffer)

    @property
    def _decoded_scene(self) -> DecodedScene:
        if self._scene is None:
            raise TruncatedError("networks are not there yet; feed more bytes")
        return self._scene

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._buffer_start += count

    def _parts_of(self, level: int) -> int:
        """Return how many refinement packages the file has for a level."""
        chunks = self._table.chunks if self._table else ()
        return sum(c.level == level and c.kind is ChunkType.REFINEMENTS for c in chunks)

    def _take_chunks(self, table: ChunkTable) -> None:
        while self._next_chunk < len(table.chunks):
            record = table.chunks[self._next_chunk]
            if self._last_level is not None and record.level > self._last_level:
                self._drop(len(self._buffer))
                return
            if self._received < record.end:
                return
            begin = record.offset - self._buffer_start
            data = bytes(self._buffer[begin : begin + record.size])
            if self._check_crcs:
                check_crc(record.name, data, record.crc)
            self._drop(record.end - self._buffer_start)
            self._next_chunk += 1
            self._take_chunk(table, record, data)

    def _take_chunk(self, table: ChunkTable, record: ChunkRecord, data: bytes) -> None:
        """Keep a core chunk until the core is whole; apply a refinement at once."""
        if record.kind is ChunkType.REFINEMENTS:
            self._refine(record, data)
            return
        if record.kind is not None:
            self._chunks[record.kind] = (record, data)
        if record.kind in CORE_ENDS:
            self._end_core(table, record.level)

    def _end_core(self, table: ChunkTable, level: int) -> None:
        chunks, self._chunks = self._chunks, {}
        parts = {kind: data for kind, (_, data) in chunks.items()}
        if level == 0:
            scene = decode_scene(
                parts, tables=self._tables, product=self._product,
                limits=self._limits, backend=self._backend,
            )  # fmt: skip
            if scene.config.num_levels < len(table.levels):
                raise MalformedError(
                    f"table lists {len(table.levels)} levels, MODL has {scene.config.num_levels}"
                )
            self._scene, self._model = scene, scene.model
            return
        model = self._model or self._decoded_scene.model
        canvas = self._canvas or empty_canvas(model.config, self._decoded_scene.ranks)
        with named_place(lambda: f"level {level}"):
            model = with_level_weights(model, level, parts, self._limits)
        self._canvas = decode_level(
            canvas, model, chunks, table.levels[level - 1],
            limits=self._limits, backend=self._backend,
        )  # fmt: skip
        self._model, self._laws = model, None

    def _refine(self, record: ChunkRecord, data: bytes) -> None:
        canvas, model = self._canvas, self._model
        if canvas is None or model is None or canvas.level != record.level:
            raise MalformedError(f"{record.name} comes before the level it refines")
        if self._laws is None:
            self._laws = refinement_laws(canvas, model)
        self._canvas = decode_refinement(canvas, self._laws, (record, data), self._backend)


def decode_file(
    path: Path,
    level: int | None = None,
    *,
    limits: DecodeLimits | None = None,
    backend: EntropyBackend | None = None,
) -> ProgressiveDecoder:
    """Decode a file up to `level` (None: all), reading no more than that needs.

    Raises:
        BitstreamError: the file is damaged, or shorter than `level`, or than level 1. A file that
            ends later gives the levels it has and says so in `shortage`.
        ConfigError: the file has no such level.
        OSError: it cannot be read.
    """
    decoder = ProgressiveDecoder(limits=limits, backend=backend, last_level=level)
    with path.open("rb") as stream:
        while data := stream.read(READ_SIZE):
            decoder.feed(data)
            if level is not None and decoder.levels_ready >= level:
                break
    decoder.finish()
    if level is not None:
        decoder.canvas(level)
    return decoder
