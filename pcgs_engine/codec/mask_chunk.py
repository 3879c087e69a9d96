"""The law in front of a MASK chunk's bits: static probabilities or a network. FORMAT.md §7.2."""

import struct

import numpy as np
import numpy.typing as npt

from ..config import ModelConfig
from ..entropy.backend import EntropyBackend
from ..entropy.mask_law import STATIC_CLASSES, MaskLaw, MaskNet, NetMaskLaw, StaticMaskLaw
from ..entropy.small_weights import pack_small_weights, unpack_small_weights
from ..entropy.tables import Tables
from ..errors import MalformedError

__all__ = ["pack_mask_net", "pack_static_masks", "unpack_mask_law"]

STATIC, NET = 0, 1
NET_HEAD = struct.Struct("<BBBB")
"""Kind, width, whether features are looked at, whether outputs differ per bit."""
ARRAYS = ("base", "bias", "input_weight", "bit_weight", "count_weight", "out_weight")


def pack_static_masks(probability: npt.NDArray[np.int64]) -> bytes:
    """Pack the probabilities of `StaticMaskLaw`."""
    return bytes([STATIC]) + probability.astype("<u2").tobytes()


def pack_mask_net(net: MaskNet, tables: Tables, backend: EntropyBackend) -> bytes:
    """Pack the weights of a `NetMaskLaw`."""
    K, width = net.bit_weight.shape
    wide, per_bit = net.input_weight.shape[1] > 9, len(net.out_weight) == K
    arrays = [getattr(net, name) for name in ARRAYS]
    head = NET_HEAD.pack(NET, width, wide, per_bit)
    return head + pack_small_weights(arrays, tables, backend)


def unpack_mask_law(
    data: bytes, config: ModelConfig, tables: Tables, old: int, backend: EntropyBackend
) -> MaskLaw:
    """Read the law of a level over `old` old anchors.

    Raises:
        MalformedError: it is of no known kind or has the wrong size.
    """
    kind = data[0] if data else -1
    if kind == STATIC and len(data) == 1 + 2 * STATIC_CLASSES:
        probability = np.frombuffer(data[1:], dtype="<u2").astype(np.int64)
        if int(probability.min()) < 1:
            raise MalformedError("MASK: bit probability is 0, wanted 1..65535")
        return StaticMaskLaw(probability)
    if kind == NET and len(data) >= NET_HEAD.size and old == 0:
        return NetMaskLaw(_unpack_net(data, config, tables, backend), tables)
    raise MalformedError(f"MASK: law of kind {kind} and {len(data)} bytes over {old} old anchors")


def _unpack_net(
    data: bytes, config: ModelConfig, tables: Tables, backend: EntropyBackend
) -> MaskNet:
    _, width, wide, per_bit = NET_HEAD.unpack(data[: NET_HEAD.size])
    if wide > 1 or per_bit > 1 or width == 0:
        raise MalformedError(f"MASK: net of width {width} with flags {wide}, {per_bit}")
    K = config.num_offsets
    shapes = (
        (K, 4), (width,), (width, 9 + (config.feature_dim if wide else 0)), (K, width),
        (4, width), (K if per_bit else 1, width),
    )  # fmt: skip
    sizes = [int(np.prod(shape)) for shape in shapes]
    parts = unpack_small_weights(data[NET_HEAD.size :], sizes, tables, backend)
    arrays = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
    return MaskNet(**dict(zip(ARRAYS, arrays, strict=True)))
