"""Lossless coding of anchor positions: Morton-sorted lattice points to bytes and back.

A tree that halves cells (octree_walk.py) under an adaptive model (octree_model.py), in lanes of the
range code; the native library walks faster, with the same bytes. FORMAT.md §7.1.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, MalformedError
from .backend import EntropyBackend, best_backend
from .distribution import Intervals
from .morton import MAX_DEPTH, morton_decode, morton_encode
from .native_coder import encode_lanes_native
from .octree_bits import LaneReader, LaneWriter, lane_count
from .octree_native import decode_tree_native, encode_tree_native
from .octree_walk import walk_tree
from .positions import ALIGNMENT, aligned_corner
from .range_encoder import encode_lanes_numpy
from .torchac_encoder import encode_lanes_torchac
from .varint import pack_varints, unpack_varints

__all__ = ["decode_positions", "encode_positions"]

Int64Array = npt.NDArray[np.int64]

LATTICES = (4, 3, 2, 1)
"""Powers of two a coarser lattice may have; anchors start on multiples of 16 and 4 voxels."""
LEAST_SHARE, CHANCE = 0.02, 4.0
"""A lattice is worth its bits above this share of points, plus this times what chance puts there.
Source: judged on the anchors of three trained scenes and on random points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    corner: Int64Array  # [3] multiples of ALIGNMENT
    depth: int
    """Bits per axis."""
    lattices: tuple[int, int]
    """Powers of two, coarse first; 0: none."""

    @property
    def widths(self) -> tuple[int, int]:
        """Low bits of the code that are zero on each lattice."""
        return 3 * self.lattices[0], 3 * self.lattices[1]


def encode_positions(positions: npt.NDArray[np.int32], backend: EntropyBackend) -> bytes:
    """Encode `[N, 3]` distinct lattice points that are in `coding_order`.

    Raises:
        ConfigError: points are not distinct, not in order, or span more than 2**21 cells.
        DeviceError: the backend does not work here.
    """
    count = len(positions)
    if count == 0:
        return b""
    corner = aligned_corner(positions)
    cells = positions.astype(np.int64) - corner
    depth = int(cells.max()).bit_length()
    if depth > MAX_DEPTH:
        raise ConfigError(f"anchors span 2**{depth} cells, wanted at most 2**{MAX_DEPTH}")
    codes = morton_encode(cells)
    if (np.diff(codes) <= 0).any():
        raise ConfigError("anchor positions are not distinct and in coding order")
    head = _Head(corner=corner, depth=depth, lattices=_find_lattices(cells))
    lanes = lane_count(count)
    if backend is EntropyBackend.NATIVE:
        coded = encode_tree_native(codes, 3 * depth, head.widths, lanes)
        intervals, steps, raw = coded.intervals, coded.steps, coded.raw
    else:
        writer = LaneWriter(lanes)
        walk_tree(writer, count, 3 * depth, head.widths, codes)
        (intervals, steps), raw = writer.intervals(), writer.raw_bytes()
    if depth == 0:
        return _pack_head(head)
    coded_lanes = _encode_lanes(intervals, steps, backend)
    return b"".join([_pack_head(head), _pack_sizes(coded_lanes), *coded_lanes, raw])


def decode_positions(data: bytes, count: int, backend: EntropyBackend) -> npt.NDArray[np.int32]:
    """Return the `[count, 3]` lattice points.

    Raises:
        MalformedError: the bytes are not an octree of `count` points.
        DeviceError: the native library is not there.
    """
    if count == 0:
        if data:
            raise MalformedError(f"positions of no anchors have {len(data)} bytes, wanted 0")
        return np.zeros((0, 3), dtype=np.int32)
    head, at = _unpack_head(data)
    if count > 1 << min(3 * head.depth, 62):
        raise MalformedError(f"octree of depth {head.depth} cannot hold {count} points")
    if head.depth == 0:
        if len(data) != at:
            raise MalformedError(f"octree of one cell has {len(data)} bytes, wanted {at}")
        return head.corner[None].astype(np.int32)
    sizes, at = _unpack_sizes(data, lane_count(count), at)
    end = at + int(sizes.sum())
    if end > len(data):
        raise MalformedError(f"octree lanes end at byte {end} of {len(data)}")
    lanes, raw = data[at:end], data[end:]
    chosen = best_backend() if backend is EntropyBackend.TORCHAC else backend
    if chosen is EntropyBackend.NATIVE:
        codes, used = decode_tree_native(lanes, sizes, raw, count, 3 * head.depth, head.widths)
    else:
        reader = LaneReader(lanes, sizes, raw)
        codes = walk_tree(reader, count, 3 * head.depth, head.widths)
        used = reader.raw_at
    if (used + 7) >> 3 != len(raw):
        raise MalformedError(f"octree has {len(raw)} raw bytes, wanted {(used + 7) >> 3}")
    cells = morton_decode(codes) + head.corner
    if int(cells.max()) > 0x7FFFFFFF:
        raise MalformedError("octree reaches beyond 32-bit coordinates")
    return cells.astype(np.int32)


def _encode_lanes(intervals: Intervals, steps: int, backend: EntropyBackend) -> list[bytes]:
    bounds = np.arange(0, len(intervals.low) + 1, steps, dtype=np.int64)
    if backend is EntropyBackend.NATIVE:
        return encode_lanes_native(intervals, bounds)
    if backend is EntropyBackend.TORCHAC:
        return encode_lanes_torchac(intervals, bounds)
    return encode_lanes_numpy(intervals, bounds)


def _find_lattices(cells: Int64Array) -> tuple[int, int]:
    """Return up to two powers of two whose multiples hold more points than chance explains."""
    joined = cells[:, 0] | cells[:, 1] | cells[:, 2]
    on = {power: joined & (1 << power) - 1 == 0 for power in LATTICES}
    coarse = _best_lattice({power: float(there.mean()) for power, there in on.items()})
    rest = {
        power: float((there & ~on[coarse]).mean()) for power, there in on.items() if power < coarse
    }
    return coarse, _best_lattice(rest)


def _best_lattice(shares: dict[int, float]) -> int:
    """Return the power that saves most bits, 0 for none."""
    gains = {
        power: (share - CHANCE / 8**power) * power
        for power, share in shares.items()
        if share > LEAST_SHARE + CHANCE / 8**power
    }
    return max(gains, key=gains.__getitem__, default=0)


def _pack_head(head: _Head) -> bytes:
    corner = head.corner // ALIGNMENT
    coarse, fine = head.lattices
    return pack_varints(_zigzag(corner)) + bytes([head.depth, coarse << 4 | fine])


def _unpack_head(data: bytes) -> tuple[_Head, int]:
    corner, at = unpack_varints(data, 3)
    if len(data) < at + 2:
        raise MalformedError(f"octree ends at byte {len(data)}, inside its head")
    depth, coarse, fine = data[at], data[at + 1] >> 4, data[at + 1] & 15
    if depth > MAX_DEPTH:
        raise MalformedError(f"octree has depth {depth}, wanted 0..{MAX_DEPTH}")
    if coarse > LATTICES[0] or fine >= max(coarse, 1):
        raise MalformedError(f"octree has lattices 2**{coarse} and 2**{fine}, wanted falling, <= 4")
    cells = _unzigzag(corner) * ALIGNMENT
    if int(cells.min()) < -(1 << 31) or int(cells.max()) >= 1 << 31:
        raise MalformedError("octree starts beyond 32-bit coordinates")
    return _Head(corner=cells, depth=depth, lattices=(coarse, fine)), at + 2


def _pack_sizes(lanes: list[bytes]) -> bytes:
    """Mean size, then what each lane has more or less: one byte a lane."""
    sizes = np.array([len(lane) for lane in lanes], dtype=np.int64)
    mean = int(sizes.mean())
    if len(lanes) == 1:
        return pack_varints(sizes)
    return pack_varints(np.append(mean, _zigzag(sizes - mean)))


def _unpack_sizes(data: bytes, lanes: int, at: int) -> tuple[Int64Array, int]:
    values, at = unpack_varints(data, lanes + (lanes > 1), at)
    sizes = values if lanes == 1 else values[0] + _unzigzag(values[1:])
    if int(sizes.min()) < 0 or int(sizes.max()) > len(data):
        raise MalformedError(f"octree lane of {int(sizes.min())}..{int(sizes.max())} bytes")
    return sizes, at


def _zigzag(values: Int64Array) -> Int64Array:
    return np.where(values < 0, -2 * values - 1, 2 * values)


def _unzigzag(values: Int64Array) -> Int64Array:
    return np.where(values & 1, -(values + 1 >> 1), values >> 1)
