"""The order of everything in a level, defined once: encoder and decoder walk the same function.

`code_level` asks a port for each group of symbols. The encoder's port knows the symbols and
writes them; the decoder's port reads them; both return them. FORMAT.md §7.
"""

from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from ..bitstream import ChunkType
from ..entropy.context_model import AnchorContext, AnchorSteps
from ..entropy.distribution import Distribution
from ..entropy.level_distributions import LevelDistributions
from ..errors import MalformedError
from .anchor_canvas import AnchorCanvas

__all__ = ["SCENE_CHUNKS", "SymbolPort", "code_level", "level_chunks"]

Int64Array = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Scalar = TypeVar("Scalar", bound=np.generic)

SCENE_CHUNKS = (
    ChunkType.METADATA,
    ChunkType.MODEL,
    ChunkType.CAMERAS,
    ChunkType.NETWORKS,
    ChunkType.HEAD,
    ChunkType.HASH_GRID,
)
"""Chunks of level 0, in file order."""
LARGEST_COARSE = (2**31 - 2) // 3
"""Largest |symbol| that may still be refined."""


def level_chunks(level: int) -> tuple[ChunkType, ...]:
    """Return the chunks of `level` (1-based) in file order, which is decode order."""
    head = [ChunkType.GAINS, ChunkType.TRIT_NETWORKS] if level == 2 else [ChunkType.GAINS]
    new = [ChunkType.POSITIONS, ChunkType.MASKS, ChunkType.FEATURES, ChunkType.SCALING]
    old = [ChunkType.FEATURE_TRITS, ChunkType.SCALING_TRITS] if level > 1 else []
    return (*head, *new, *old, ChunkType.OFFSETS)


class SymbolPort(Protocol):
    """One end of the wire for one level."""

    def positions(self) -> npt.NDArray[np.int32]:
        """Return the `[N_new, 3]` lattice positions of new anchors."""
        ...

    def masks(self, unset: BoolArray, old: int) -> BoolArray:
        """Return which of the `[N, K]` unset Gaussians become present; rows `old` on are new."""
        ...

    def symbols(self, kind: ChunkType, part: int, distribution: Distribution) -> Int64Array:
        """Return the `[count]` symbols of stream `part` of chunk `kind`."""
        ...


def code_level(
    canvas: AnchorCanvas, distributions: LevelDistributions, port: SymbolPort
) -> AnchorCanvas:
    """Take the canvas from one level to the next through `port`.

    Raises:
        MalformedError: symbols leave their range.
    """
    old, model = len(canvas.positions), distributions.model
    positions = port.positions()
    added = model.anchor_context(positions.astype(np.float64) * model.voxel_size)
    context = _joined_context(canvas.context, added)
    mask_level = _grown(canvas.mask_level, len(positions))
    fresh = port.masks(mask_level == 0, old)
    features, scaling = _first_decode(added, distributions, port)
    old_features, old_scaling = _refine(canvas, distributions, port)
    offsets = _grown(canvas.offsets, len(positions))
    found = port.symbols(ChunkType.OFFSETS, 0, distributions.offsets(context, fresh))
    offsets[fresh] = found.reshape(-1, 3)
    return AnchorCanvas(
        level=distributions.level,
        counts=(*canvas.counts, old + len(positions)),
        positions=np.concatenate([canvas.positions, positions]),
        mask_level=np.where(fresh, np.uint8(distributions.level), mask_level),
        features=np.concatenate([old_features, features]).astype(np.int32),
        scaling=np.concatenate([old_scaling, scaling]).astype(np.int32),
        offsets=offsets,
        context=context,
    )


def _first_decode(
    added: AnchorContext, distributions: LevelDistributions, port: SymbolPort
) -> tuple[Int64Array, Int64Array]:
    """Features, channel group by channel group, then scaling of new anchors."""
    config = distributions.model.config
    hash_net = distributions.hash_net(added)
    count = len(added.hash_features)
    steps = (added.steps.feature / 3 ** (distributions.level - 1))[:, None]
    features = np.zeros((count, 0), dtype=np.int64)
    for chunk in range(config.context.feature_chunks):
        law = distributions.features(added, hash_net, features * steps, chunk)
        found = port.symbols(ChunkType.FEATURES, chunk, law).reshape(count, config.chunk_dim)
        features = np.concatenate([features, found], axis=1)
    law = distributions.scaling(added, hash_net)
    scaling = port.symbols(ChunkType.SCALING, 0, law).reshape(count, 6)
    if scaling.size and int(scaling.min()) < 0:
        raise MalformedError(f"scaling symbol is {int(scaling.min())}, wanted at least 0")
    return features, scaling


def _refine(
    canvas: AnchorCanvas, distributions: LevelDistributions, port: SymbolPort
) -> tuple[Int64Array, Int64Array]:
    """Trits of old anchors' features, then of their scaling."""
    features, scaling = canvas.features.astype(np.int64), canvas.scaling.astype(np.int64)
    if distributions.level == 1:
        return features, scaling
    for values in (features, scaling):
        if values.size and int(np.abs(values).max()) > LARGEST_COARSE:
            raise MalformedError(f"symbol of magnitude {int(np.abs(values).max())} is refined")
    law = distributions.feature_trits(canvas.context, canvas.feature_values())
    trits = port.symbols(ChunkType.FEATURE_TRITS, 0, law).reshape(features.shape)
    features = 3 * features + trits - 1
    law = distributions.scaling_trits(canvas.context, canvas.scaling_values())
    trits = port.symbols(ChunkType.SCALING_TRITS, 0, law).reshape(scaling.shape)
    return features, 3 * scaling + trits - 1


def _grown(values: npt.NDArray[Scalar], count: int) -> npt.NDArray[Scalar]:
    """Return a copy with `count` zero rows added."""
    more = np.zeros((count, *values.shape[1:]), dtype=values.dtype)
    return np.concatenate([values, more])


def _joined_context(one: AnchorContext, two: AnchorContext) -> AnchorContext:
    return AnchorContext(
        hash_features=np.concatenate([one.hash_features, two.hash_features]),
        steps=AnchorSteps(
            feature=np.concatenate([one.steps.feature, two.steps.feature]),
            scaling=np.concatenate([one.steps.scaling, two.steps.scaling]),
            offset=np.concatenate([one.steps.offset, two.steps.offset]),
        ),
    )
