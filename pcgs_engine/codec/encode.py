"""Encode: a CodedModel in, chunks of all levels out. Walks `coding_order`."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ..bitstream import ChunkType, DecodeLimits, level_chunks
from ..entropy.backend import EntropyBackend, best_backend
from ..entropy.coded_model import CodedModel, Ranking
from ..entropy.context_model import ContextModel
from ..entropy.distribution import Distribution
from ..entropy.exact_product import ExactProduct, numpy_product
from ..entropy.lane_layout import WANTED_SYMBOLS, rows_per_lane
from ..entropy.lane_stream import LaneEncoder
from ..entropy.level_distributions import LevelDistributions
from ..entropy.mask_law import (
    MaskAnchors,
    MaskLaw,
    NetMaskLaw,
    StaticMaskLaw,
    fit_static_law,
)
from ..entropy.octree import encode_positions
from ..entropy.refinement_laws import Block, RefinementLaws
from ..entropy.stream_list import join_streams
from ..entropy.tables import load_tables
from ..entropy.weights import IntegerNet
from .anchor_canvas import AnchorCanvas, empty_canvas
from .check_model import check_model
from .coding_order import SymbolStream, code_level, code_refinement, refinement_laws
from .encoded_scene import EncodedLevel, EncodedScene, FileChunk
from .known_level import KnownLevel
from .mask_chunk import pack_mask_net, pack_static_masks
from .net_chunk import pack_head, pack_nets, pack_scales, packed_size
from .net_layout import context_nets, head_layers, modulated_nets, trit_nets
from .plan_refinements import (
    RefinementPlan,
    mean_slope,
    plan_refinements,
    refinement_candidates,
)
from .rank_chunk import pack_ranks
from .refinement_chunk import pack_refinement
from .scene_chunks import ModelFacts, pack_cameras, pack_hash_grid, pack_model

__all__ = ["encode", "encode_chunks"]

COSTLY = (ChunkType.SCALING, ChunkType.OFFSETS)
COSTLY_LANE = 2048
"""Symbols of a lane where a symbol has 3 to 5 bits: 0.4 % buys a numpy decoder half the steps."""
Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]


def encode(
    coded: CodedModel, metadata: dict[str, object], *, backend: EntropyBackend | None = None
) -> bytes:
    """Return a whole file; see `encode_chunks` and `EncodedScene.to_bytes`."""
    return encode_chunks(coded, backend=backend).to_bytes(metadata)


def encode_chunks(
    coded: CodedModel,
    *,
    backend: EntropyBackend | None = None,
    plan: RefinementPlan | None = None,
    product: ExactProduct = numpy_product,
    on_progress: Callable[[float], None] | None = None,
) -> EncodedScene:
    """Encode everything but the metadata.

    Args:
        coded: integers and networks; anchors of a level in `coding_order`.
        backend: who runs the range coder; None takes `best_backend()`. Bytes do not depend on it.
        plan: how refinements are cut; None takes the defaults.
        product: who multiplies the matrices of the context model; bytes do not depend on it.
        on_progress: called with the share done, 0..1, after each level's core and refinements.

    Raises:
        ConfigError: arrays of the model contradict each other.
        MalformedError: a symbol is out of range.
        DeviceError: the backend does not work here.
    """
    chosen = best_backend() if backend is None else backend
    check_model(coded)
    model = ContextModel(
        config=coded.config, voxel_size=coded.voxel_size, hash_grid=coded.hash_grid,
        context=coded.context, tables=load_tables(), product=product, backend=chosen,
    )  # fmt: skip
    chunks, levels = _scene_chunks(coded, chosen), []
    canvas = empty_canvas(coded.config, coded.ranking.ranks)
    refiner = _Refiner(model, coded.ranking, plan or RefinementPlan())
    count = coded.config.num_levels  # of a level without new anchors refinements remain
    for level in range(1, count + 1):
        port = _EncoderPort(coded, level, canvas.digest, chosen)
        canvas = code_level(canvas, LevelDistributions(model=model, level=level), port)
        chunks += port.core()
        if on_progress is not None:
            on_progress((level - 0.5) / count)
        if level > 1:
            canvas = refiner.refine(canvas, port)
            chunks += port.refinements
        levels.append(EncodedLevel(anchors=len(canvas.positions), gaussians=canvas.num_gaussians))
        if on_progress is not None:
            on_progress(level / count)
    return EncodedScene(chunks=tuple(chunks), levels=tuple(levels))


class _Refiner:
    """Chooses and writes the refinements of level 2, 3, ..."""

    def __init__(self, model: ContextModel, ranking: Ranking, plan: RefinementPlan) -> None:
        self._model = model
        self._ranking = ranking
        self._plan = plan
        self._unit: float | None = None

    def refine(self, canvas: AnchorCanvas, port: "_EncoderPort") -> AnchorCanvas:
        """Take the canvas from the core of a level to its end."""
        laws = refinement_laws(canvas, self._model)
        found = refinement_candidates(canvas, laws, port.known, self._ranking)
        if self._unit is None:
            self._unit = max(mean_slope(found), 0.0)
        bar = self._plan.least_worth(canvas.level, self._model.config.num_levels)
        for blocks in plan_refinements(found, bar * self._unit, self._plan.packages):
            port.begin_refinement(canvas, laws, blocks)
            canvas = code_refinement(canvas, laws, blocks, port)
        return canvas


class _EncoderPort:
    """Knows the symbols of a level; keeps the bytes they become."""

    def __init__(
        self, coded: CodedModel, level: int, before: bytes, backend: EntropyBackend
    ) -> None:
        self.coded = coded
        self._before = before
        self.known = KnownLevel(config=coded.config, anchors=coded.anchors, level=level)
        self.refinements: list[FileChunk] = []
        self._backend = backend
        self._data: dict[ChunkType, bytes] = {}
        self._counts: dict[ChunkType, int] = {}
        self._digests: dict[ChunkType, bytes] = {}
        self._stream: _Stream | None = None
        self._mask_law = b""
        self._blocks: list[Block] = []
        self._trits = np.zeros(0, dtype=np.int32)

    def positions(self) -> Int32Array:
        """Write and return the lattice positions."""
        positions = self.coded.anchors.positions[self.known.new].astype(np.int32)
        self._data[ChunkType.POSITIONS] = encode_positions(positions, self._backend)
        self._counts[ChunkType.POSITIONS] = len(positions)
        return positions

    def ranks(self, count: int, ranks: int) -> npt.NDArray[np.uint8]:
        """Write and return the ranks of the anchors of the level before."""
        end = self.known.new.start
        rank = self.coded.ranking.rank[end - count : end]
        self._data[ChunkType.RANKS] = pack_ranks(rank, ranks, self._backend)
        self._counts[ChunkType.RANKS] = count
        return rank

    def open(self, kind: ChunkType, rows: int, symbols_per_row: int) -> SymbolStream:
        """Begin writing a chunk."""
        most = COSTLY_LANE if kind in COSTLY else WANTED_SYMBOLS
        lanes = rows_per_lane(rows, symbols_per_row, most)
        self._stream = _Stream(LaneEncoder(rows, lanes), self._symbols_of(kind))
        return self._stream

    def begin_refinement(
        self, canvas: AnchorCanvas, laws: RefinementLaws, blocks: list[Block]
    ) -> None:
        """Prepare the trits of the next package."""
        before, known = canvas.depths[-2], self.known
        parts = [
            known.trits(canvas, laws.rows(b.group), b, int(before[b.group, b.channel]))
            for b in blocks
        ]
        self._blocks, self._trits = blocks, np.concatenate(parts)

    def seal(self, kind: ChunkType, digest: bytes) -> None:
        """Finish the chunk."""
        if self._stream is not None:
            self._data[kind] = self._stream.encoder.finish(self._backend)
            self._counts[kind] = self._stream.count
            self._stream = None
        self._digests[kind] = digest
        if kind is ChunkType.REFINEMENTS:
            data = pack_refinement(self._blocks, self._data[kind])
            part = len(self.refinements) + 1
            self.refinements.append(self._chunk(kind, data, digest, part))
        if kind is ChunkType.MASKS:
            self._data[kind] = join_streams([self._mask_law, self._data[kind]])

    def mask_law(self, model: ContextModel, anchors: MaskAnchors) -> MaskLaw:
        """Write and return the law of this level's masks."""
        net = self.coded.mask_net
        if net is not None and anchors.old == 0:
            self._mask_law = pack_mask_net(net, model.tables, self._backend)
            return NetMaskLaw(net, model.tables)
        probability = fit_static_law(anchors, self.known.fresh)
        self._mask_law = pack_static_masks(probability)
        return StaticMaskLaw(probability)

    def core(self) -> list[FileChunk]:
        """Return the core chunks of the level in file order."""
        found, digest, level = [], self._before, self.known.level
        for kind in level_chunks(level):
            if kind is ChunkType.GAINS:
                nets = _modulated(self.coded, level)
                data = pack_scales("GAIN", [net.multiplier[level - 1] for net in nets])
                size = 2 * sum(net.multiplier.shape[1] for net in nets)
                found.append(self._weights(kind, data, size, digest))
            elif kind is ChunkType.TRIT_NETWORKS:
                context, shapes = self.coded.context, trit_nets(self.coded.config)
                nets = [context.feature_trits, context.scaling_trits]
                data = pack_nets("TNET", nets, shapes, context.scaling_input)
                layers = [layer for shape in shapes for layer in shape.layers]
                size = packed_size(layers, sum(s.outputs for s in shapes) + 6)
                found.append(self._weights(kind, data, size, digest))
            else:
                digest = self._digests[kind]
                found.append(self._chunk(kind, self._data[kind], digest, 0))
        return found

    def _chunk(self, kind: ChunkType, data: bytes, digest: bytes, part: int) -> FileChunk:
        return FileChunk(
            code=kind.value, level=self.known.level, part=part, count=self._counts[kind],
            data=data, digest=digest,
        )  # fmt: skip

    def _weights(self, kind: ChunkType, data: bytes, size: int, digest: bytes) -> FileChunk:
        return FileChunk(
            code=kind.value, level=self.known.level, count=size, data=data, decoded_size=size,
            digest=digest,
        )  # fmt: skip

    def _symbols_of(self, kind: ChunkType) -> Callable[[int, int | Int64Array], Int32Array]:
        """Return what gives the symbols of a pass, by pass number and counts per row."""
        known, C = self.known, self.coded.config.chunk_dim
        if kind is ChunkType.FEATURES:
            features = known.features
            return lambda i, _: features[:, i * C : (i + 1) * C].ravel()
        if kind is ChunkType.MASKS:
            fresh = known.fresh
            return lambda i, counts: fresh[np.asarray(counts) > 0, i].astype(np.int32)
        flat = self._trits
        if kind is not ChunkType.REFINEMENTS:
            flat = (known.scaling if kind is ChunkType.SCALING else known.offsets).ravel()
        return lambda _, __: flat


class _Stream:
    """A lane encoder that knows its symbols, as the walk sees it."""

    def __init__(
        self, encoder: LaneEncoder, symbols: Callable[[int, int | Int64Array], Int32Array]
    ) -> None:
        self.encoder = encoder
        self.count = 0
        self._symbols = symbols
        self._passes = 0

    def code(self, distribution: Distribution, counts: int | Int64Array) -> Int32Array:
        """Write and return the next pass."""
        symbols = self._symbols(self._passes, counts)
        self._passes += 1
        self.count += len(symbols)
        self.encoder.add(symbols, distribution, counts)
        return symbols


def _modulated(coded: CodedModel, level: int) -> list[IntegerNet]:
    context = coded.context
    nets = [context.first, context.feature_trits, context.scaling_trits]
    return nets[: len(modulated_nets(coded.config, level))]


def _scene_chunks(coded: CodedModel, backend: EntropyBackend) -> list[FileChunk]:
    config, context = coded.config, coded.context
    facts = ModelFacts(
        config=config,
        voxel_size=float(coded.voxel_size),
        distance_unit=float(coded.head.distance_unit),
        ranks=coded.ranking.ranks,
    )
    shapes, layers = context_nets(config), head_layers(config)
    inputs = np.concatenate([context.feature_input, context.parameter_input])
    nets = [context.first, context.step, context.offset, *context.channels]
    scales = sum((0 if s.modulated else s.hidden) + s.outputs for s in shapes) + len(inputs)
    net_size = packed_size([layer for s in shapes for layer in s.layers], scales)
    head_size = packed_size(layers, 0)
    centres = coded.camera_centres
    signs = coded.hash_grid.signs.size
    parts = {
        ChunkType.MODEL: (1, pack_model(facts, DecodeLimits()), 0),
        ChunkType.CAMERAS: (len(centres), pack_cameras(centres), 0),
        ChunkType.NETWORKS: (net_size, pack_nets("NETW", nets, shapes, inputs), net_size),
        ChunkType.HEAD: (head_size, pack_head(coded.head.layers, layers), head_size),
        ChunkType.HASH_GRID: (signs, pack_hash_grid(coded.hash_grid, backend), 0),
    }
    return [
        FileChunk(code=kind.value, level=0, count=count, data=data, decoded_size=size)
        for kind, (count, data, size) in parts.items()
    ]
