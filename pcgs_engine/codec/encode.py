"""Encode: a CodedModel in, chunks of all levels out. Walks `coding_order`."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..bitstream import ChunkType, DecodeLimits
from ..entropy.backend import EntropyBackend, best_backend
from ..entropy.coded_model import CodedModel
from ..entropy.context_model import ContextModel
from ..entropy.distribution import Distribution
from ..entropy.level_distributions import LevelDistributions
from ..entropy.octree import encode_positions
from ..entropy.stream_list import join_streams
from ..entropy.symbol_stream import encode_symbols
from ..entropy.symbols import LevelSymbols
from ..entropy.tables import load_tables
from ..errors import ConfigError
from .anchor_canvas import empty_canvas
from .check_model import check_model
from .coding_order import SCENE_CHUNKS, code_level, level_chunks
from .encoded_scene import EncodedLevel, EncodedScene, FileChunk
from .mask_chunk import pack_masks
from .scene_chunks import ModelFacts, pack_cameras, pack_hash_grid, pack_model
from .weight_layout import (
    context_dense,
    context_layers,
    gain_rows,
    gain_widths,
    head_dense,
    head_layers,
    pack_arrays,
    pack_dense,
    trit_dense,
    trit_layers,
    weight_count,
)

__all__ = ["encode", "encode_chunks"]

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
    on_progress: Callable[[float], None] | None = None,
) -> EncodedScene:
    """Encode everything but the metadata.

    Args:
        coded: symbols and networks; anchors of a level in `coding_order`.
        backend: who runs the range coder; None takes `best_backend()`. Bytes do not depend on it.
        on_progress: called with the share done, 0..1, after each level.

    Raises:
        ConfigError: arrays of the model contradict each other.
        MalformedError: a symbol is out of range.
        DeviceError: the backend does not work here.
    """
    chosen = best_backend() if backend is None else backend
    check_model(coded)
    model = ContextModel(
        config=coded.config,
        voxel_size=coded.voxel_size,
        hash_grid=coded.hash_grid,
        context=coded.context,
    )
    chunks, levels = _scene_chunks(coded, chosen), []
    canvas, tables = empty_canvas(coded.config), load_tables()
    for symbols in coded.levels:
        port = _EncoderPort(symbols, coded.config.chunk_dim, chosen)
        law = LevelDistributions(model=model, tables=tables, level=symbols.level)
        canvas = code_level(canvas, law, port)
        chunks += _level_chunks(coded, symbols.level, port)
        levels.append(
            EncodedLevel(
                anchors=len(canvas.positions),
                gaussians=canvas.num_gaussians,
                digest=canvas.digest(),
            )
        )
        if on_progress is not None:
            on_progress(len(levels) / len(coded.levels))
    return EncodedScene(chunks=tuple(chunks), levels=tuple(levels))


class _EncoderPort:
    """Knows the symbols of a level; keeps the bytes they become."""

    def __init__(self, known: LevelSymbols, chunk_dim: int, backend: EntropyBackend) -> None:
        self._known = known
        self._chunk_dim = chunk_dim
        self._backend = backend
        self._streams: dict[ChunkType, list[bytes]] = {}
        self._counts: dict[ChunkType, int] = {}

    def positions(self) -> npt.NDArray[np.int32]:
        """Write and return the lattice positions."""
        positions = self._known.positions.astype(np.int32)
        self._streams[ChunkType.POSITIONS] = [encode_positions(positions, self._backend)]
        self._counts[ChunkType.POSITIONS] = len(positions)
        return positions

    def masks(self, unset: npt.NDArray[np.bool_], old: int) -> npt.NDArray[np.bool_]:
        """Write and return what becomes present.

        Raises:
            ConfigError: a Gaussian that was present is absent at this level.
        """
        mask = self._known.gaussian_mask
        if not (mask | unset).all():
            raise ConfigError(
                f"level {self._known.level}: a Gaussian mask shrinks, wanted only growth"
            )
        fresh: npt.NDArray[np.bool_] = mask & unset
        self._streams[ChunkType.MASKS] = [pack_masks(fresh, unset, old, self._backend)]
        self._counts[ChunkType.MASKS] = int(unset.sum())
        return fresh

    def symbols(self, kind: ChunkType, part: int, distribution: Distribution) -> Int64Array:
        """Write and return one stream."""
        known = self._of_kind(kind)
        if kind is ChunkType.FEATURES:
            known = known[:, part * self._chunk_dim : (part + 1) * self._chunk_dim]
        values = known.astype(np.int64).ravel()
        if len(values) != distribution.count:
            raise ConfigError(
                f"level {self._known.level}: {len(values)} symbols of {kind.name}, "
                f"wanted {distribution.count}"
            )
        stream = encode_symbols(values, distribution, self._backend)
        self._streams.setdefault(kind, []).append(stream)
        self._counts[kind] = self._counts.get(kind, 0) + len(values)
        return values

    def chunk(self, kind: ChunkType) -> FileChunk:
        """Return what was written for `kind`."""
        streams, level = self._streams[kind], self._known.level
        plain = kind in (ChunkType.POSITIONS, ChunkType.MASKS)
        data = streams[0] if plain else join_streams(streams)
        return FileChunk(code=kind.value, level=level, count=self._counts[kind], data=data)

    def _of_kind(self, kind: ChunkType) -> npt.NDArray[np.integer[Any]]:
        known = self._known
        arrays: dict[ChunkType, npt.NDArray[np.integer[Any]]] = {
            ChunkType.FEATURES: known.features,
            ChunkType.SCALING: known.scaling,
            ChunkType.FEATURE_TRITS: known.feature_trits,
            ChunkType.SCALING_TRITS: known.scaling_trits,
            ChunkType.OFFSETS: known.offsets,
        }
        return arrays[kind]


def _scene_chunks(coded: CodedModel, backend: EntropyBackend) -> list[FileChunk]:
    config, limits = coded.config, DecodeLimits()
    facts = ModelFacts(
        config=config,
        voxel_size=float(coded.voxel_size),
        distance_unit=float(coded.head.distance_unit),
    )
    context, head = context_layers(config), head_layers(config)
    networks = pack_dense(ChunkType.NETWORKS, context_dense(coded.context), context)
    heads = pack_dense(ChunkType.HEAD, head_dense(coded.head), head)
    parts = {
        ChunkType.MODEL: (1, pack_model(facts, limits), 0),
        ChunkType.CAMERAS: (len(coded.camera_centres), pack_cameras(coded.camera_centres), 0),
        ChunkType.NETWORKS: (weight_count(context), networks, 2 * weight_count(context)),
        ChunkType.HEAD: (weight_count(head), heads, 2 * weight_count(head)),
        ChunkType.HASH_GRID: (
            coded.hash_grid.signs.size, pack_hash_grid(coded.hash_grid, backend), 0,
        ),
    }  # fmt: skip
    return [
        FileChunk(code=kind.value, level=0, count=count, data=data, decoded_size=size)
        for kind, (count, data, size) in ((k, parts[k]) for k in SCENE_CHUNKS if k in parts)
    ]


def _level_chunks(coded: CodedModel, level: int, port: _EncoderPort) -> list[FileChunk]:
    chunks: list[FileChunk] = []
    for kind in level_chunks(level):
        if kind is ChunkType.GAINS:
            shapes: list[tuple[int, ...]] = [(n,) for n in gain_widths(coded.config, level)]
            data = pack_arrays(kind, gain_rows(coded.context, level), shapes)
            count = sum(shape[0] for shape in shapes)
        elif kind is ChunkType.TRIT_NETWORKS:
            layers = trit_layers(coded.config)
            data = pack_dense(kind, trit_dense(coded.context), layers)
            count = weight_count(layers)
        else:
            chunks.append(port.chunk(kind))
            continue
        chunks.append(
            FileChunk(code=kind.value, level=level, count=count, data=data, decoded_size=2 * count)
        )
    return chunks
