"""Lossless octree of anchor positions: Morton-sorted lattice points to bytes and back.

Breadth first, one occupancy byte per node, static tables by the parent's child count and the
height of the node. FORMAT.md §7.1.
"""

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..bitstream import compress, decompress
from ..errors import ConfigError, MalformedError
from .backend import EntropyBackend
from .distribution import TableDistribution
from .frequencies import cumulative_rows, frequencies
from .morton import MAX_DEPTH, morton_decode, morton_encode
from .stream_list import StreamReader, join_streams
from .symbol_stream import decode_symbols, encode_symbols

__all__ = ["decode_positions", "encode_positions"]

Int64Array = npt.NDArray[np.int64]

HEAD = struct.Struct("<iiiBBH")
CHILD_CLASSES = 4
"""Parents with 1, 2, 3 or more children; the root counts as more."""
HEIGHT_CLASSES = 5
"""Nodes 1, 2, 3, 4 or more steps above the points."""
CONTEXTS = CHILD_CLASSES * HEIGHT_CLASSES
OCCUPANCIES = 256
SMALL_TREE = 4096
"""Trees of fewer nodes share one table: the tables would cost more than they save."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """Nodes of one depth."""

    occupancy: Int64Array  # [nodes] 1..255
    context: Int64Array  # [nodes]


def encode_positions(positions: npt.NDArray[np.int32], backend: EntropyBackend) -> bytes:
    """Encode `[N, 3]` distinct lattice points that are in `coding_order`.

    Raises:
        ConfigError: points are not distinct, not in order, or span more than 2**21 cells.
    """
    if len(positions) == 0:
        return b""
    cells = positions.astype(np.int64)
    corner = cells.min(axis=0)
    depth = int((cells - corner).max()).bit_length()
    if depth > MAX_DEPTH:
        raise ConfigError(f"anchors span 2**{depth} cells, wanted at most 2**{MAX_DEPTH}")
    codes = morton_encode(cells - corner)
    if (np.diff(codes) <= 0).any():
        raise ConfigError("anchor positions are not distinct and in coding order")
    layers = _layers(codes, depth)
    shared = sum(len(layer.context) for layer in layers) < SMALL_TREE
    tables = 1 if shared else CONTEXTS
    counts = np.zeros((tables, OCCUPANCIES), dtype=np.int64)
    for layer in layers:
        np.add.at(counts, (layer.context % tables, layer.occupancy), 1)
    frequency = frequencies(counts)
    rows = _rows(frequency)
    streams = [
        encode_symbols(
            layer.occupancy, TableDistribution(tables=rows, index=layer.context % tables), backend
        )
        for layer in layers
    ]
    head = HEAD.pack(*corner.tolist(), depth, tables, 0)
    packed = compress(_planes(frequency.astype("<u2")))
    return join_streams([head, packed, *streams])


def decode_positions(data: bytes, count: int, backend: EntropyBackend) -> npt.NDArray[np.int32]:
    """Return the `[count, 3]` lattice points.

    Raises:
        MalformedError: the bytes are not an octree of `count` points.
    """
    if count == 0:
        if data:
            raise MalformedError(f"positions of no anchors have {len(data)} bytes, wanted 0")
        return np.zeros((0, 3), dtype=np.int32)
    reader = StreamReader(data)
    corner, depth, tables = _read_head(reader.take())
    raw = decompress("octree tables", reader.take(), tables * OCCUPANCIES * 2)
    bytes_ = np.frombuffer(raw, dtype=np.uint8).reshape(2, -1).astype(np.int64)
    frequency = (bytes_[0] | bytes_[1] << 8).reshape(tables, OCCUPANCIES)
    if frequency[:, 0].any():
        raise MalformedError("octree node without children has a probability")
    rows = _rows(frequency)
    codes, children = np.zeros(1, dtype=np.int64), np.full(1, CHILD_CLASSES - 1)
    for height in range(depth, 0, -1):
        context = _context(children, height) % tables
        nodes = TableDistribution(tables=rows, index=context)
        occupancy = decode_symbols(reader.take(), nodes, backend)
        bits = np.unpackbits(occupancy.astype(np.uint8)[:, None], axis=1, bitorder="little")
        parent, child = np.nonzero(bits)
        if len(parent) > count:
            raise MalformedError(f"octree has {len(parent)} nodes, wanted at most {count}")
        codes = codes[parent] << 3 | child
        children = np.repeat(_child_class(bits), bits.sum(axis=1, dtype=np.int64))
    reader.finish()
    if len(codes) != count:
        raise MalformedError(f"octree has {len(codes)} points, wanted {count}")
    cells = morton_decode(codes) + corner
    if int(cells.max()) > 0x7FFFFFFF:
        raise MalformedError("octree reaches beyond 32-bit coordinates")
    return cells.astype(np.int32)


def _read_head(head: bytes) -> tuple[Int64Array, int, int]:
    if len(head) != HEAD.size:
        raise MalformedError(f"octree head has {len(head)} bytes, wanted {HEAD.size}")
    x, y, z, depth, tables, _ = HEAD.unpack(head)
    if depth > MAX_DEPTH or tables not in (1, CONTEXTS):
        raise MalformedError(
            f"octree of depth {depth} with {tables} tables, wanted 0..{MAX_DEPTH}, 1 or {CONTEXTS}"
        )
    return np.array([x, y, z], dtype=np.int64), depth, tables


def _layers(codes: Int64Array, depth: int) -> list[_Layer]:
    layers: list[_Layer] = []
    children = np.full(1, CHILD_CLASSES - 1)
    for height in range(depth, 0, -1):
        nodes = np.unique(codes >> 3 * (height - 1))
        parents = nodes >> 3
        first = np.flatnonzero(np.diff(parents, prepend=-1))
        occupancy = np.bitwise_or.reduceat(1 << (nodes & 7), first)
        layers.append(_Layer(occupancy=occupancy, context=_context(children, height)))
        bits = np.unpackbits(occupancy.astype(np.uint8)[:, None], axis=1)
        children = np.repeat(_child_class(bits), bits.sum(axis=1, dtype=np.int64))
    return layers


def _child_class(bits: npt.NDArray[np.uint8]) -> Int64Array:
    children: Int64Array = np.minimum(bits.sum(axis=1, dtype=np.int64), CHILD_CLASSES) - 1
    return children


def _context(children: Int64Array, height: int) -> Int64Array:
    return children + CHILD_CLASSES * (min(height, HEIGHT_CLASSES) - 1)


def _rows(frequency: Int64Array) -> Int64Array:
    """Cumulative rows; a table that was never used is uniform over 1..255."""
    unused = frequency.sum(axis=1) == 0
    filled = frequency.copy()
    filled[unused, 1:] = 1
    return cumulative_rows(filled)


def _planes(values: npt.NDArray[np.uint16]) -> bytes:
    """Low bytes, then high bytes: compresses better."""
    return values.view(np.uint8).reshape(-1, 2).T.tobytes()
