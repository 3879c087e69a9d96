"""Encode: a CodedModel in, chunks of all levels out. Walks `coding_order`."""

from collections.abc import Callable
from dataclasses import dataclass, field

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
from .anchor_canvas import empty_canvas
from .check_model import check_model
from .coding_order import code_level, level_chunks
from .encoded_scene import EncodedChunk, EncodedLevel, EncodedScene
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
        port = _EncoderPort(symbols=symbols, backend=chosen)
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


@dataclass(slots=True, kw_only=True)
class _EncoderPort:
    """Knows the symbols of a level; keeps the streams they become."""

    symbols_of_level: LevelSymbols
    backend: EntropyBackend
    streams: dict[ChunkType, list[bytes]] = field(default_factory=dict)
    counts: dict[ChunkType, int] = field(default_factory=dict)
    whole: dict[ChunkType, bytes] = field(default_factory=dict)
