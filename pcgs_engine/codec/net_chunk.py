"""Networks to chunks and back: int8 weights, int32 biases, bfloat16 scales. FORMAT.md §4.3."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..bitstream import DecodeLimits, check_limit, compress, decompress
from ..entropy.bfloat16 import bfloat16_bits, from_bfloat16_bits
from ..entropy.integer_net import check_net
from ..entropy.weights import IntegerNet, QuantizedDense
from ..errors import ConfigError, MalformedError
from .net_layout import LayerShape, NetShape

__all__ = [
    "pack_head",
    "pack_nets",
    "pack_scales",
    "packed_size",
    "unpack_head",
    "unpack_nets",
    "unpack_scales",
]

FloatArray = npt.NDArray[np.float32]
ByteArray = npt.NDArray[np.uint8]

SCALE_LIMIT = 2.0**60
"""Largest |scale|, and 1 / the smallest: outputs stay finite, so that no difference of two is
undefined, and never denormal: machines differ in whether they keep those."""


def packed_size(layers: Sequence[LayerShape], scales: int) -> int:
    """Return the bytes before zlib of layers and `scales` scales."""
    weights = sum(layer.outputs * layer.inputs for layer in layers)
    return weights + 4 * sum(layer.outputs for layer in layers) + 2 * scales


def pack_nets(
    name: str, nets: Sequence[IntegerNet], shapes: Sequence[NetShape], inputs: FloatArray
) -> bytes:
    """Pack networks and the scales of their inputs.

    Raises:
        ConfigError: a shape is wrong, a sum could pass 2**24 or a scale is not a bfloat16 in
            2**-60..2**60.
    """
    scales = []
    if len(nets) != len(shapes):
        raise ConfigError(f"{name}: {len(nets)} networks, wanted {len(shapes)}")
    for net, shape in zip(nets, shapes, strict=True):
        _check_shape(net, shape)
        try:
            check_net(shape.name, net)
        except MalformedError as error:
            raise ConfigError(f"{name}: {error}") from error
        scales += [net.out_scale] if shape.modulated else [net.multiplier[0], net.out_scale]
    weights = [w.ravel() for n in nets for w in (n.hidden_weight, n.out_weight)]
    biases = np.concatenate([b for n in nets for b in (n.hidden_bias, n.out_bias)])
    return compress(
        np.concatenate(weights).astype(np.int8).tobytes()
        + _planes(biases.astype("<i4"), 4)
        + _scale_planes(name, np.concatenate([*scales, inputs]))
    )


def unpack_nets(
    name: str,
    data: bytes,
    shapes: Sequence[NetShape],
    inputs: int,
    limits: DecodeLimits,
    levels: int,
) -> tuple[list[IntegerNet], FloatArray]:
    """Read networks and `inputs` input scales; multipliers of modulated nets are still zero.

    Args:
        name: of the chunk, for messages.
        data: the chunk.
        shapes: of the networks.
        inputs: number of input scales behind the networks.
        limits: what may be allocated.
        levels: rows of multipliers of a modulated net.

    Raises:
        BitstreamError: wrong size, damaged, too large, or sums that are not exact.
    """
    layers = [layer for shape in shapes for layer in shape.layers]
    count = sum((0 if s.modulated else s.hidden) + s.outputs for s in shapes) + inputs
    size = packed_size(layers, count)
    check_limit(f"{name}: weights", size, limits.weights)
    reader = _Planes(name, decompress(name, data, size))
    weights = [reader.weights(layer) for layer in layers]
    biases = reader.biases([layer.outputs for layer in layers])
    scales = reader.scales(count)
    nets, begin = [], 0
    for i, shape in enumerate(shapes):
        multiplier = np.zeros((levels, shape.hidden), dtype=np.float32)
        if not shape.modulated:
            multiplier = scales[None, begin : begin + shape.hidden]
            begin += shape.hidden
        net = IntegerNet(
            hidden_weight=weights[2 * i], hidden_bias=biases[2 * i], multiplier=multiplier,
            leaky=shape.leaky, out_weight=weights[2 * i + 1], out_bias=biases[2 * i + 1],
            out_scale=scales[begin : begin + shape.outputs],
        )  # fmt: skip
        begin += shape.outputs
        check_net(f"{name}: {shape.name} net", net)
        nets.append(net)
    return nets, scales[begin:]


def pack_head(layers: Sequence[QuantizedDense], shapes: Sequence[LayerShape]) -> bytes:
    """Pack the attribute MLPs: biases are float16 after the scales.

    Raises:
        ConfigError: a shape is wrong or a scale is not a bfloat16 in 2**-60..2**60.
    """
    if len(layers) != len(shapes):
        raise ConfigError(f"HEAD: {len(layers)} layers, wanted {len(shapes)}")
    for layer, shape in zip(layers, shapes, strict=True):
        if layer.weight.shape != (shape.outputs, shape.inputs):
            raise ConfigError(f"HEAD: layer of shape {layer.weight.shape}, wanted {shape}")
    biases = np.concatenate([layer.bias for layer in layers])
    half = biases.astype("<f2")
    if not (np.isfinite(half).all() and np.array_equal(half.astype(np.float32), biases)):
        raise ConfigError("HEAD: a bias is not a finite float16; round the head")
    return compress(
        np.concatenate([layer.weight.ravel() for layer in layers]).tobytes()
        + _scale_planes("HEAD", np.concatenate([layer.scale for layer in layers]))
        + _planes(half, 2)
    )


def unpack_head(
    data: bytes, shapes: Sequence[LayerShape], limits: DecodeLimits
) -> tuple[QuantizedDense, ...]:
    """Read the attribute MLPs.

    Raises:
        BitstreamError: wrong size, damaged, too large or not finite.
    """
    size = packed_size(shapes, 0)
    check_limit("HEAD: weights", size, limits.weights)
    reader = _Planes("HEAD", decompress("HEAD", data, size))
    weights = [reader.weights(layer) for layer in shapes]
    rows = sum(layer.outputs for layer in shapes)
    ends = np.cumsum([layer.outputs for layer in shapes])[:-1]
    scales = np.split(reader.scales(rows), ends)
    biases = np.split(reader.halves(rows), ends)
    return tuple(
        QuantizedDense(weight=w, scale=s, bias=b)
        for w, s, b in zip(weights, scales, biases, strict=True)
    )


def pack_scales(name: str, rows: Sequence[FloatArray]) -> bytes:
    """Pack scales alone, of any sign (GAIN).

    Raises:
        ConfigError: a scale is not a finite bfloat16.
    """
    return compress(_scale_planes(name, np.concatenate(list(rows)), signed=True))


def unpack_scales(name: str, data: bytes, widths: Sequence[int]) -> list[FloatArray]:
    """Read scales alone.

    Raises:
        BitstreamError: wrong size, damaged or not finite.
    """
    count = sum(widths)
    scales = _Planes(name, decompress(name, data, 2 * count)).scales(count, signed=True)
    return np.split(scales, np.cumsum(widths)[:-1])


class _Planes:
    """Cuts the bytes of a chunk."""

    def __init__(self, name: str, raw: bytes) -> None:
        self._name = name
        self._raw = np.frombuffer(raw, dtype=np.uint8)
        self._at = 0

    def weights(self, layer: LayerShape) -> npt.NDArray[np.int8]:
        """Read one int8 matrix; -128 does not occur."""
        matrix = self._take(layer.outputs * layer.inputs).view(np.int8)
        if matrix.size and int(matrix.min()) < -127:
            raise MalformedError(f"{self._name}: a weight is -128, wanted -127..127")
        return matrix.reshape(layer.outputs, layer.inputs)

    def biases(self, sizes: list[int]) -> list[npt.NDArray[np.int32]]:
        """Read all int32 biases."""
        planes = np.ascontiguousarray(self._take(4 * sum(sizes)).reshape(4, -1).T)
        flat = planes.view("<i4").ravel().astype(np.int32)
        return np.split(flat, np.cumsum(sizes)[:-1])

    def scales(self, count: int, *, signed: bool = False) -> FloatArray:
        """Read bfloat16 scales, all finite and, unless signed, above 0."""
        planes = np.ascontiguousarray(self._take(2 * count).reshape(2, -1).T)
        scales = from_bfloat16_bits(planes.view("<u2").ravel().astype(np.uint16))
        if not _in_range(scales, signed=signed):
            raise MalformedError(f"{self._name}: a scale is not {_wanted(signed)}")
        return scales

    def halves(self, count: int) -> FloatArray:
        """Read float16 biases, all finite."""
        planes = np.ascontiguousarray(self._take(2 * count).reshape(2, -1).T)
        values = planes.view("<f2").ravel().astype(np.float32)
        if not np.isfinite(values).all():
            raise MalformedError(f"{self._name}: a bias is not finite")
        return values

    def _take(self, count: int) -> ByteArray:
        part = self._raw[self._at : self._at + count]
        self._at += count
        return part


def _check_shape(net: IntegerNet, shape: NetShape) -> None:
    found = (net.hidden_weight.shape, net.out_weight.shape, net.multiplier.shape[1], net.leaky)
    hidden, out = shape.layers
    wanted = (
        (hidden.outputs, hidden.inputs), (out.outputs, out.inputs), shape.hidden, shape.leaky,
    )  # fmt: skip
    if found != wanted:
        raise ConfigError(f"{shape.name} net is {found}, wanted {wanted}")


def _in_range(scales: FloatArray, *, signed: bool) -> bool:
    size = np.abs(scales)
    inside = (size <= SCALE_LIMIT) & (size >= 1 / SCALE_LIMIT)  # false for NaN
    return bool((inside | (scales == 0)).all() if signed else (inside & (scales > 0)).all())


def _wanted(signed: bool) -> str:
    bounds = f"{1 / SCALE_LIMIT:.3g}..{SCALE_LIMIT:.3g}"
    return f"0 or of magnitude {bounds}" if signed else f"in {bounds}"


def _planes(values: npt.NDArray[np.generic], width: int) -> bytes:
    """Byte 0 of all values, then byte 1 ...: compresses better."""
    return np.ascontiguousarray(values).view(np.uint8).reshape(-1, width).T.tobytes()


def _scale_planes(name: str, scales: FloatArray, *, signed: bool = False) -> bytes:
    bits = bfloat16_bits(scales)
    exact = np.array_equal(from_bfloat16_bits(bits), scales.astype(np.float32))
    if not (exact and _in_range(scales, signed=signed)):
        raise ConfigError(
            f"{name}: a scale is not a bfloat16 {_wanted(signed)}; calibrate the networks"
        )
    return _planes(bits.astype("<u2"), 2)
