"""Level-0 chunks to networks and facts: what every level of a file shares."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..bitstream import ChunkType, DecodeLimits, unpack_json
from ..config import ModelConfig
from ..entropy.backend import EntropyBackend
from ..entropy.context_model import ContextModel
from ..entropy.exact_product import ExactProduct
from ..entropy.tables import Tables
from ..entropy.weights import HeadWeights, IntegerContext, IntegerNet, QuantizedHead
from .error_place import named_place
from .net_chunk import unpack_head, unpack_nets, unpack_scales
from .net_layout import NetShape, context_nets, head_layers, modulated_nets, trit_nets
from .scene_chunks import unpack_cameras, unpack_hash_grid, unpack_model

__all__ = ["DecodedScene", "decode_scene", "with_level_weights"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedScene:
    """Everything of level 0."""

    metadata: dict[str, object]
    thumbnail: bytes
    """JPEG or PNG, empty for none."""
    model: ContextModel
    """Multipliers and trinomial networks are zero until their level brings them."""
    ranks: int
    head: HeadWeights
    camera_centres: npt.NDArray[np.float32]  # [V, 3]

    @property
    def config(self) -> ModelConfig:
        """Sizes of the model."""
        return self.model.config


def decode_scene(
    parts: dict[ChunkType, bytes],
    *,
    tables: Tables,
    product: ExactProduct,
    limits: DecodeLimits,
    backend: EntropyBackend,
) -> DecodedScene:
    """Read the chunks of level 0; `parts` holds all of them that the file has.

    Raises:
        BitstreamError: a chunk is damaged or beyond the limits.
    """
    metadata: dict[str, object] = {}
    if ChunkType.METADATA in parts:
        metadata = unpack_json("mETA", parts[ChunkType.METADATA], limits)
    facts = unpack_model(parts[ChunkType.MODEL], limits)
    config = facts.config
    shapes, layers = context_nets(config), head_layers(config)
    inputs, levels = 4 * config.feature_dim, config.num_levels
    nets, scales = unpack_nets("NETW", parts[ChunkType.NETWORKS], shapes, inputs, limits, levels)
    quantized = unpack_head(parts[ChunkType.HEAD], layers, limits)
    head = QuantizedHead(layers=quantized, distance_unit=facts.distance_unit)
    feature_trits, scaling_trits = (_unknown_net(shape, levels) for shape in trit_nets(config))
    with named_place(lambda: "HASH"):
        hash_grid = unpack_hash_grid(parts[ChunkType.HASH_GRID], config.hash_grid, backend)
    model = ContextModel(
        config=config,
        voxel_size=facts.voxel_size,
        hash_grid=hash_grid,
        context=IntegerContext(
            first=nets[0], step=nets[1], offset=nets[2], channels=tuple(nets[3:]),
            feature_trits=feature_trits, scaling_trits=scaling_trits,
            feature_input=scales[: config.feature_dim],
            parameter_input=scales[config.feature_dim :],
            scaling_input=np.zeros(6, dtype=np.float32),
        ),
        tables=tables,
        product=product,
        backend=backend,
    )  # fmt: skip
    return DecodedScene(
        metadata=metadata,
        thumbnail=parts.get(ChunkType.THUMBNAIL, b""),
        model=model,
        ranks=facts.ranks,
        head=head.weights(),
        camera_centres=unpack_cameras(parts[ChunkType.CAMERAS], limits),
    )


def with_level_weights(
    model: ContextModel, level: int, parts: dict[ChunkType, bytes], limits: DecodeLimits
) -> ContextModel:
    """Return the model with the multipliers (and trinomial networks) that `level` brings.

    Raises:
        BitstreamError: a chunk is damaged or beyond the limits.
    """
    context, config = model.context, model.config
    if ChunkType.TRIT_NETWORKS in parts:
        data, shapes = parts[ChunkType.TRIT_NETWORKS], trit_nets(config)
        nets, scales = unpack_nets("TNET", data, shapes, 6, limits, config.num_levels)
        context = replace(
            context, feature_trits=nets[0], scaling_trits=nets[1], scaling_input=scales
        )
    widths = [shape.hidden for shape in modulated_nets(config, level)]
    rows = unpack_scales("GAIN", parts[ChunkType.GAINS], widths)
    context = replace(context, first=_modulated(context.first, level, rows[0]))
    if level > 1:
        context = replace(
            context,
            feature_trits=_modulated(context.feature_trits, level, rows[1]),
            scaling_trits=_modulated(context.scaling_trits, level, rows[2]),
        )
    return replace(model, context=context)


def _modulated(net: IntegerNet, level: int, row: npt.NDArray[np.float32]) -> IntegerNet:
    multiplier = net.multiplier.copy()
    multiplier[level - 1] = row
    return replace(net, multiplier=multiplier)


def _unknown_net(shape: NetShape, levels: int) -> IntegerNet:
    return IntegerNet(
        hidden_weight=np.zeros((shape.hidden, shape.inputs), dtype=np.int8),
        hidden_bias=np.zeros(shape.hidden, dtype=np.int32),
        multiplier=np.zeros((levels, shape.hidden), dtype=np.float32),
        leaky=shape.leaky,
        out_weight=np.zeros((shape.outputs, shape.hidden), dtype=np.int8),
        out_bias=np.zeros(shape.outputs, dtype=np.int32),
        out_scale=np.zeros(shape.outputs, dtype=np.float32),
    )
