"""Level-0 chunks to networks and facts: what every level of a file shares."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..bitstream import ChunkType, DecodeLimits, unpack_json
from ..config import ModelConfig
from ..entropy.backend import EntropyBackend
from ..entropy.context_model import ContextModel
from ..entropy.weights import ContextWeights, Dense, HeadWeights
from ..errors import LimitExceededError
from .scene_chunks import unpack_cameras, unpack_hash_grid, unpack_model
from .weight_layout import (
    context_layers,
    empty_context,
    head_layers,
    trit_layers,
    unpack_dense,
    weight_count,
)

__all__ = ["DecodedScene", "decode_scene", "with_networks", "with_trit_networks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedScene:
    """Everything of level 0."""

    metadata: dict[str, object]
    model: ContextModel
    """Gain rows and trinomial networks are zero until their level brings them."""
    head: HeadWeights
    camera_centres: npt.NDArray[np.float32]  # [V, 3]

    @property
    def config(self) -> ModelConfig:
        """Sizes of the model."""
        return self.model.config


def decode_scene(
    parts: dict[ChunkType, bytes], limits: DecodeLimits, backend: EntropyBackend
) -> DecodedScene:
    """Read the chunks of level 0; `parts` holds all of them (METADATA may be absent).

    Raises:
        BitstreamError: a chunk is damaged or beyond the limits.
    """
    metadata: dict[str, object] = {}
    if ChunkType.METADATA in parts:
        metadata = unpack_json("mETA", parts[ChunkType.METADATA], limits)
    facts = unpack_model(parts[ChunkType.MODEL], limits)
    config = facts.config
    for layers in (context_layers(config), trit_layers(config), head_layers(config)):
        if weight_count(layers) > limits.weights:
            raise LimitExceededError(
                f"MODL: network of {weight_count(layers)} weights, wanted <= {limits.weights}"
            )
    networks = unpack_dense(
        ChunkType.NETWORKS, parts[ChunkType.NETWORKS], context_layers(config), limits
    )
    head = unpack_dense(ChunkType.HEAD, parts[ChunkType.HEAD], head_layers(config), limits)
    model = ContextModel(
        config=config,
        voxel_size=facts.voxel_size,
        hash_grid=unpack_hash_grid(parts[ChunkType.HASH_GRID], config.hash_grid, backend),
        context=with_networks(empty_context(config), networks),
    )
    return DecodedScene(
        metadata=metadata,
        model=model,
        head=HeadWeights(
            opacity_hidden=head[0], opacity_out=head[1], covariance_hidden=head[2],
            covariance_out=head[3], color_hidden=head[4], color_out=head[5],
            distance_unit=facts.distance_unit,
        ),
        camera_centres=unpack_cameras(parts[ChunkType.CAMERAS], limits),
    )  # fmt: skip


def with_networks(context: ContextWeights, dense: list[Dense]) -> ContextWeights:
    """Return `context` with the layers of NETW."""
    return replace(
        context, hash_hidden=dense[0], hash_out=dense[1], step_hidden=dense[2],
        step_out=dense[3], offset_hidden=dense[4], offset_out=dense[5],
        channel_hidden=tuple(dense[6::2]), channel_out=tuple(dense[7::2]),
    )  # fmt: skip


def with_trit_networks(context: ContextWeights, dense: list[Dense]) -> ContextWeights:
    """Return `context` with the layers of TNET."""
    return replace(
        context, feature_trit_hidden=dense[0], feature_trit_out=dense[1],
        scaling_trit_hidden=dense[2], scaling_trit_out=dense[3],
    )  # fmt: skip
