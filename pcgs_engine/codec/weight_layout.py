"""Networks as float16 chunks: which arrays lie in which chunk, and packing them. FORMAT.md §4.3.

The order and the shapes are stated once, as functions of the model config.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..bitstream import ChunkType, DecodeLimits, check_limit, compress, decompress
from ..config import Head, ModelConfig
from ..entropy.weights import ContextWeights, Dense, HeadWeights
from ..errors import ConfigError, MalformedError

__all__ = [
    "Layer",
    "context_dense",
    "context_layers",
    "empty_context",
    "gain_rows",
    "gain_widths",
    "head_dense",
    "head_layers",
    "pack_arrays",
    "pack_dense",
    "trit_dense",
    "trit_layers",
    "unpack_arrays",
    "unpack_dense",
    "weight_count",
]

FloatArray = npt.NDArray[np.float32]

VIEW_INPUTS = 4
"""Unit direction and distance, seen by the neural head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Shape of one affine layer; stored as weight [outputs, inputs], then bias [outputs]."""

    outputs: int
    inputs: int


def context_layers(config: ModelConfig) -> list[Layer]:
    """Return the layers of NETW: hash, step and offset nets, then the channel nets."""
    G, F, c = config.hash_grid.output_dim, config.feature_dim, config.context
    chain = [
        (G, c.hash_hidden, 3 * F + 12),
        (G, c.step_hidden, 3),
        (G, c.offset_hidden, 6 * config.num_offsets),
    ]
    for chunk in range(c.feature_chunks):
        inputs = chunk * config.chunk_dim + 3 * F
        chain.append((inputs, c.channel_hidden, 3 * config.chunk_dim))
    return _two_layers(chain)


def trit_layers(config: ModelConfig) -> list[Layer]:
    """Return the layers of TNET: feature, then scaling."""
    G, F, c = config.hash_grid.output_dim, config.feature_dim, config.context
    return _two_layers([(G + F, c.feature_trit_hidden, 3 * F), (G + 6, c.scaling_trit_hidden, 18)])


def head_layers(config: ModelConfig) -> list[Layer]:
    """Return the layers of HEAD: opacity, covariance, colour."""
    K, explicit = config.num_offsets, config.head is Head.EXPLICIT
    inputs = config.feature_dim + (0 if explicit else VIEW_INPUTS)
    colors = 3 * K * ((config.sh_degree + 1) ** 2 if explicit else 1)
    return _two_layers([(inputs, config.head_hidden, n) for n in (K, 7 * K, colors)])


def gain_widths(config: ModelConfig, level: int) -> list[int]:
    """Return the row lengths of GAIN: hash, and from level 2 feature and scaling trits."""
    c = config.context
    rest = [c.feature_trit_hidden, c.scaling_trit_hidden] if level > 1 else []
    return [c.hash_hidden, *rest]


def weight_count(layers: list[Layer]) -> int:
    """Return the number of weights and biases."""
    return sum(layer.outputs * (layer.inputs + 1) for layer in layers)


def empty_context(config: ModelConfig) -> ContextWeights:
    """Return all-zero weights of the right shapes; chunks replace them as they arrive."""
    dense = [_zeros(layer) for layer in (*context_layers(config), *trit_layers(config))]
    S, c = config.num_levels, config.context
    channel = dense[6:-4]
    return ContextWeights(
        hash_hidden=dense[0],
        hash_gain=np.zeros((S, c.hash_hidden), dtype=np.float32),
        hash_out=dense[1],
        step_hidden=dense[2],
        step_out=dense[3],
        offset_hidden=dense[4],
        offset_out=dense[5],
        channel_hidden=tuple(channel[::2]),
        channel_out=tuple(channel[1::2]),
        feature_trit_hidden=dense[-4],
        feature_trit_gain=np.zeros((S, c.feature_trit_hidden), dtype=np.float32),
        feature_trit_out=dense[-3],
        scaling_trit_hidden=dense[-2],
        scaling_trit_gain=np.zeros((S, c.scaling_trit_hidden), dtype=np.float32),
        scaling_trit_out=dense[-1],
    )


def context_dense(weights: ContextWeights) -> list[Dense]:
    """Return the layers of NETW in order."""
    fixed = [
        weights.hash_hidden, weights.hash_out, weights.step_hidden, weights.step_out,
        weights.offset_hidden, weights.offset_out,
    ]  # fmt: skip
    for hidden, out in zip(weights.channel_hidden, weights.channel_out, strict=True):
        fixed += [hidden, out]
    return fixed


def trit_dense(weights: ContextWeights) -> list[Dense]:
    """Return the layers of TNET in order."""
    return [
        weights.feature_trit_hidden, weights.feature_trit_out,
        weights.scaling_trit_hidden, weights.scaling_trit_out,
    ]  # fmt: skip


def head_dense(weights: HeadWeights) -> list[Dense]:
    """Return the layers of HEAD in order."""
    return [
        weights.opacity_hidden, weights.opacity_out, weights.covariance_hidden,
        weights.covariance_out, weights.color_hidden, weights.color_out,
    ]  # fmt: skip


def gain_rows(weights: ContextWeights, level: int) -> list[FloatArray]:
    """Return the rows of GAIN in order."""
    rows = [weights.hash_gain, weights.feature_trit_gain, weights.scaling_trit_gain]
    return [row[level - 1] for row in (rows if level > 1 else rows[:1])]


def pack_dense(kind: ChunkType, dense: list[Dense], layers: list[Layer]) -> bytes:
    """Pack layers.

    Raises:
        ConfigError: a shape is wrong, or a value is not a finite float16.
    """
    arrays = [a for layer in dense for a in (layer.weight, layer.bias)]
    return pack_arrays(kind, arrays, _shapes(layers))


def unpack_dense(
    kind: ChunkType, data: bytes, layers: list[Layer], limits: DecodeLimits
) -> list[Dense]:
    """Read the layers of a chunk.

    Raises:
        BitstreamError: wrong size, damaged, too large or not finite.
    """
    arrays = unpack_arrays(kind, data, _shapes(layers), limits)
    return [Dense(weight=w, bias=b) for w, b in zip(arrays[::2], arrays[1::2], strict=True)]


def pack_arrays(kind: ChunkType, arrays: list[FloatArray], shapes: list[tuple[int, ...]]) -> bytes:
    """Pack arrays as float16: all low bytes, then all high bytes, in one zlib stream.

    Raises:
        ConfigError: a shape is wrong, or a value is not a finite float16.
    """
    found = [tuple(a.shape) for a in arrays]
    if found != shapes:
        raise ConfigError(f"{kind.name}: arrays of shapes {found}, wanted {shapes}")
    flat = np.concatenate([a.ravel() for a in arrays])
    with np.errstate(over="ignore"):
        half = flat.astype("<f2")
    if not (np.isfinite(half).all() and np.array_equal(half.astype(np.float64), flat)):
        raise ConfigError(f"{kind.name}: a weight is not a finite float16; round the networks")
    return compress(half.view(np.uint8).reshape(-1, 2).T.tobytes())


def unpack_arrays(
    kind: ChunkType, data: bytes, shapes: list[tuple[int, ...]], limits: DecodeLimits
) -> list[FloatArray]:
    """Read the arrays of a chunk.

    Raises:
        BitstreamError: wrong size, damaged, too large or not finite.
    """
    sizes = [math.prod(shape) for shape in shapes]
    check_limit(f"{kind.name}: weights", sum(sizes), limits.weights)
    raw = decompress(kind.name, data, 2 * sum(sizes))
    planes = np.frombuffer(raw, dtype=np.uint8).reshape(2, -1)
    flat = np.ascontiguousarray(planes.T).view("<f2").ravel().astype(np.float32)
    if not np.isfinite(flat).all():
        raise MalformedError(f"{kind.name}: a weight is not finite")
    parts = np.split(flat, np.cumsum(sizes)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def _two_layers(chain: list[tuple[int, int, int]]) -> list[Layer]:
    layers: list[Layer] = []
    for inputs, hidden, outputs in chain:
        layers.append(Layer(outputs=hidden, inputs=inputs))
        layers.append(Layer(outputs=outputs, inputs=hidden))
    return layers


def _shapes(layers: list[Layer]) -> list[tuple[int, ...]]:
    return [shape for n in layers for shape in ((n.outputs, n.inputs), (n.outputs,))]


def _zeros(layer: Layer) -> Dense:
    return Dense(
        weight=np.zeros((layer.outputs, layer.inputs), dtype=np.float32),
        bias=np.zeros(layer.outputs, dtype=np.float32),
    )
