"""Ideal bits of the integer model: a CodedModel and its encoded chunks in, states and bits out.

Walks `codec.coding_order` with a port of its own that writes nothing.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pcgs_engine.bitstream import ChunkType
from pcgs_engine.codec.anchor_canvas import AnchorCanvas, empty_canvas
from pcgs_engine.codec.coding_order import (
    SymbolStream,
    code_level,
    code_refinement,
    refinement_laws,
)
from pcgs_engine.codec.encoded_scene import EncodedScene
from pcgs_engine.codec.known_level import KnownLevel
from pcgs_engine.codec.refinement_chunk import unpack_refinement
from pcgs_engine.entropy.coded_model import CodedModel
from pcgs_engine.entropy.context_model import ContextModel
from pcgs_engine.entropy.distribution import Distribution, coded_symbols
from pcgs_engine.entropy.ideal_bits import ideal_bits
from pcgs_engine.entropy.level_distributions import LevelDistributions
from pcgs_engine.entropy.mask_law import (
    MaskAnchors,
    MaskLaw,
    NetMaskLaw,
    StaticMaskLaw,
    fit_static_law,
)
from pcgs_engine.entropy.refinement_laws import Block
from pcgs_engine.entropy.tables import load_tables
from pcgs_engine.entropy.varint import pack_varints

__all__ = ["LevelRate", "level_rates"]

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelRate:
    """One level as it is coded."""

    before: AnchorCanvas
    """Its core is there, its refinements are not."""
    after: AnchorCanvas
    blocks: list[Block]
    symbols: dict[ChunkType, int]
    bits: dict[ChunkType, float]
    """Ideal, escapes included."""
    unset: int
    """Gaussians that could become present."""
    fresh: int
    """Those that do."""


def level_rates(coded: CodedModel, encoded: EncodedScene) -> list[LevelRate]:
    """Walk all levels, with the refinements that `encoded` has."""
    model = ContextModel(
        config=coded.config, voxel_size=coded.voxel_size, hash_grid=coded.hash_grid,
        context=coded.context, tables=load_tables(),
    )  # fmt: skip
    canvas, found = empty_canvas(coded.config, coded.ranking.ranks), []
    for level in range(1, len(encoded.levels) + 1):
        port = _Port(coded, level)
        unset = _unset(canvas, port.known)
        canvas = code_level(canvas, LevelDistributions(model=model, level=level), port)
        before, blocks = canvas, []
        laws = refinement_laws(canvas, model) if level > 1 else None
        for chunk in encoded.chunks:
            if laws is None or chunk.level != level or chunk.code != ChunkType.REFINEMENTS.value:
                continue
            own, _ = unpack_refinement(chunk.data, *canvas.depths.shape[1:])
            depths = before.depths[-2]
            port.trits = np.concatenate(
                [port.known.trits(canvas, laws.rows(b.group), b, int(depths[b.group, b.channel]))
                 for b in own]
            )  # fmt: skip
            canvas = code_refinement(canvas, laws, own, port)
            blocks += own
        found.append(
            LevelRate(
                before=before, after=canvas, blocks=blocks, symbols=port.symbols, bits=port.bits,
                unset=unset, fresh=int(port.known.fresh.sum()),
            )
        )  # fmt: skip
    return found


def _unset(canvas: AnchorCanvas, known: KnownLevel) -> int:
    """Return how many Gaussians could become present."""
    new = known.new.stop - known.new.start
    return int((canvas.mask_level == 0).sum()) + new * known.config.num_offsets


def bernoulli_bits(ones: int, symbols: int) -> float:
    """Return what binary symbols cost under one probability, in bits."""
    share = ones / symbols
    if not 0 < share < 1:
        return 0.0
    return float(-symbols * (share * np.log2(share) + (1 - share) * np.log2(1 - share)))


class _Port:
    """Knows the symbols and counts their bits."""

    def __init__(self, coded: CodedModel, level: int) -> None:
        self._coded = coded
        self.known = KnownLevel(config=coded.config, anchors=coded.anchors, level=level)
        self.trits = np.zeros(0, dtype=np.int32)
        self.symbols: dict[ChunkType, int] = {}
        self.bits: dict[ChunkType, float] = {}

    def positions(self) -> Int32Array:
        return self._coded.anchors.positions[self.known.new].astype(np.int32)

    def ranks(self, count: int, ranks: int) -> npt.NDArray[np.uint8]:
        end = self.known.new.start
        return self._coded.ranking.rank[end - count : end]

    def mask_law(self, model: ContextModel, anchors: MaskAnchors) -> MaskLaw:
        net = self._coded.mask_net
        if net is not None and anchors.old == 0:
            return NetMaskLaw(net, model.tables)
        return StaticMaskLaw(fit_static_law(anchors, self.known.fresh))

    def open(self, kind: ChunkType, rows: int, symbols_per_row: int) -> SymbolStream:
        return _Stream(self, kind)

    def seal(self, kind: ChunkType, digest: bytes) -> None:
        pass

    def count(self, kind: ChunkType, law: Distribution, symbols: Int32Array) -> None:
        beyond = coded_symbols(law, symbols).beyond
        escapes = 0 if beyond is None else len(pack_varints(beyond[beyond >= 0].astype(np.int64)))
        bits = ideal_bits(law, symbols) + 8 * escapes
        self.symbols[kind] = self.symbols.get(kind, 0) + len(symbols)
        self.bits[kind] = self.bits.get(kind, 0.0) + bits


class _Stream:
    """Gives the symbols of a chunk, pass by pass."""

    def __init__(self, port: _Port, kind: ChunkType) -> None:
        self._port, self._kind, self._passes = port, kind, 0

    def code(self, distribution: Distribution, counts: int | Int64Array) -> Int32Array:
        known, C, i = self._port.known, self._port.known.config.chunk_dim, self._passes
        if self._kind is ChunkType.FEATURES:
            symbols = known.features[:, i * C : (i + 1) * C].ravel()
        elif self._kind is ChunkType.MASKS:
            symbols = known.fresh[np.asarray(counts) > 0, i].astype(np.int32)
        elif self._kind is ChunkType.REFINEMENTS:
            symbols = self._port.trits
        else:
            scaling = self._kind is ChunkType.SCALING
            symbols = (known.scaling if scaling else known.offsets).ravel()
        self._passes += 1
        self._port.count(self._kind, distribution, symbols)
        return symbols
