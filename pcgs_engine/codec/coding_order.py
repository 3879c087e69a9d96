"""The order of everything in a level, defined once: encoder and decoder walk the same functions.

Each asks a port for symbols. The encoder's port knows the symbols and writes them; the decoder's
port reads them; both return them. FORMAT.md §7.
"""

from dataclasses import replace
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from ..bitstream import ChunkType, chained_digest
from ..entropy.context_model import AnchorContext, AnchorSteps, ContextModel
from ..entropy.distribution import Distribution
from ..entropy.level_distributions import LevelDistributions
from ..entropy.mask_law import MaskAnchors, MaskCoder, MaskLaw, mask_inputs
from ..entropy.refinement_laws import Block, CoarseAnchors, RefinementLaws
from ..errors import MalformedError
from .anchor_canvas import AnchorCanvas

__all__ = [
    "SymbolPort",
    "SymbolStream",
    "code_level",
    "code_refinement",
    "refinement_laws",
]

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
ByteArray = npt.NDArray[np.uint8]
Scalar = TypeVar("Scalar", bound=np.generic)

LARGEST_COARSE = (2**31 - 2) // 3
"""Largest |symbol| that may still be refined."""


class SymbolStream(Protocol):
    """One chunk's symbols, pass by pass."""

    def code(self, distribution: Distribution, counts: int | Int64Array) -> Int32Array:
        """Return the next pass: `counts` symbols of each row, in row order."""
        ...


class SymbolPort(Protocol):
    """One end of the wire for one level."""

    def positions(self) -> Int32Array:
        """Return the `[N_new, 3]` lattice positions of new anchors."""
        ...

    def ranks(self, count: int, ranks: int) -> ByteArray:
        """Return the ranks of the `count` anchors that the level before added."""
        ...

    def open(self, kind: ChunkType, rows: int, symbols_per_row: int) -> SymbolStream:
        """Begin a stream of `rows` rows of about `symbols_per_row` symbols."""
        ...

    def mask_law(self, model: ContextModel, anchors: MaskAnchors) -> MaskLaw:
        """Return the law of this level's masks."""
        ...

    def seal(self, kind: ChunkType, digest: bytes) -> None:
        """End a chunk whose content, and all before it, has this digest.

        Raises:
            ChecksumError: the file says otherwise.
            MalformedError: bytes are left over.
        """
        ...


def code_level(
    canvas: AnchorCanvas, distributions: LevelDistributions, port: SymbolPort
) -> AnchorCanvas:
    """Take the canvas from the end of one level to the next, refinements apart, through `port`.

    Raises:
        MalformedError: symbols leave their range.
        ChecksumError: what was decoded is not what was encoded.
    """
    level, model, chain = distributions.level, distributions.model, canvas.digest
    groups, ranks = canvas.groups, canvas.depths.shape[1] // model.config.num_levels
    if level > 1:
        groups, chain = _with_ranks(canvas, ranks, port, chain)
    positions = port.positions()
    chain = _sealed(port, ChunkType.POSITIONS, chain, positions)
    added = model.anchor_context(positions)
    features, scaling, chain = _first_decode(added, distributions, port, chain)
    context = _joined_context(canvas.context, added)
    mask_level = _grown(canvas.mask_level, len(positions))
    features = np.concatenate([canvas.features, features])
    scaling = np.concatenate([canvas.scaling, scaling])
    old = len(canvas.positions)
    anchors = MaskAnchors(
        unset=mask_level == 0,
        old=old,
        inputs=mask_inputs(features[old:], scaling[old:], added.step_index),
    )
    fresh = _masks(anchors, model, port)
    chain = _sealed(port, ChunkType.MASKS, chain, np.packbits(fresh))
    offsets = _grown(canvas.offsets, len(positions))
    stream = port.open(ChunkType.OFFSETS, int(fresh.sum()), 3)
    found = stream.code(distributions.offsets(context, fresh), 3).reshape(-1, 3)
    chain = _sealed(port, ChunkType.OFFSETS, chain, found)
    offsets[fresh] = found
    own = np.full(len(positions), (level - 1) * ranks, dtype=np.uint8)
    return AnchorCanvas(
        level=level,
        part=0,
        counts=(*canvas.counts, len(context.hash_features)),
        positions=np.concatenate([canvas.positions, positions]),
        mask_level=np.where(fresh, np.uint8(level), mask_level),
        features=features,
        scaling=scaling,
        offsets=offsets,
        context=context,
        groups=np.concatenate([groups, own]),
        depths=_next_depths(canvas.depths, level, ranks),
        digest=chain,
    )


def refinement_laws(canvas: AnchorCanvas, model: ContextModel) -> RefinementLaws:
    """Return the laws of the refinements of `canvas.level`; call before its first one."""
    old = canvas.counts[-2] if canvas.level > 1 else 0
    F = model.config.feature_dim
    return RefinementLaws(
        model,
        CoarseAnchors(
            hash_features=canvas.context.hash_features[:old],
            features=np.broadcast_to(canvas.feature_values(), (canvas.counts[-1], F))[:old],
            scaling=canvas.scaling_values()[:old],
            groups=canvas.groups[:old],
        ),
    )


def code_refinement(
    canvas: AnchorCanvas, laws: RefinementLaws, blocks: list[Block], port: SymbolPort
) -> AnchorCanvas:
    """Refine blocks once: n -> 3 n + trit - 1.

    Raises:
        MalformedError: a block was refined before at this level, or reaches beyond 32 bits.
        ChecksumError: what was decoded is not what was encoded.
    """
    live = canvas.depths[-1].copy()
    before = canvas.depths[-2]
    F, features, scaling = canvas.features.shape[1], canvas.features.copy(), canvas.scaling.copy()
    for block in blocks:
        if len(laws.rows(block.group)) == 0:
            raise MalformedError(f"level {canvas.level}: group {block.group} is refined but empty")
        if live[block.group, block.channel] != before[block.group, block.channel]:
            raise MalformedError(
                f"level {canvas.level}: group {block.group} channel {block.channel} is refined "
                "twice"
            )
        live[block.group, block.channel] += 1
    depths = [(block, int(before[block.group, block.channel])) for block in blocks]
    count = sum(len(laws.rows(block.group)) for block in blocks)
    trits = port.open(ChunkType.REFINEMENTS, count, 1).code(laws.law(depths), 1)
    begin = 0
    for block in blocks:
        rows = laws.rows(block.group)
        values, channel = features, block.channel
        if channel >= F:
            values, channel = scaling, channel - F
        _check_coarse(values[rows, channel], canvas.level)
        values[rows, channel] = 3 * values[rows, channel] + trits[begin : begin + len(rows)] - 1
        begin += len(rows)
    named = np.array([(b.group, b.channel) for b in blocks], dtype=np.int32).ravel()
    content = np.concatenate([named, trits.astype(np.int32)])
    chain = _sealed(port, ChunkType.REFINEMENTS, canvas.digest, content)
    return replace(
        canvas,
        part=canvas.part + 1,
        features=features,
        scaling=scaling,
        depths=np.concatenate([canvas.depths[:-1], live[None]]),
        digest=chain,
    )


def _with_ranks(
    canvas: AnchorCanvas, number: int, port: SymbolPort, chain: bytes
) -> tuple[ByteArray, bytes]:
    """Rank the anchors of the level before."""
    first = canvas.counts[-2] if canvas.level > 1 else 0
    ranks = port.ranks(canvas.counts[-1] - first, number)
    groups = canvas.groups.copy()
    groups[first:] += ranks
    return groups, _sealed(port, ChunkType.RANKS, chain, ranks)


def _first_decode(
    added: AnchorContext, distributions: LevelDistributions, port: SymbolPort, chain: bytes
) -> tuple[Int32Array, Int32Array, bytes]:
    """Features, channel group by channel group, then scaling of new anchors."""
    config = distributions.model.config
    C, count = config.chunk_dim, len(added.hash_features)
    laws = distributions.features(added)
    features = np.zeros((count, config.feature_dim), dtype=np.int32)
    stream = port.open(ChunkType.FEATURES, count, config.feature_dim)
    for chunk in range(config.context.feature_chunks):
        found = stream.code(laws.group(chunk), C).reshape(count, C)
        features[:, chunk * C : (chunk + 1) * C] = found
        laws.know(chunk, found)
    chain = _sealed(port, ChunkType.FEATURES, chain, features)
    scaling = port.open(ChunkType.SCALING, count, 6).code(laws.scaling_law, 6).reshape(count, 6)
    if scaling.size and int(scaling.min()) < 0:
        raise MalformedError(f"scaling symbol is {int(scaling.min())}, wanted at least 0")
    return features, scaling, _sealed(port, ChunkType.SCALING, chain, scaling)


def _masks(anchors: MaskAnchors, model: ContextModel, port: SymbolPort) -> BoolArray:
    """Bit k of all anchors, k by k."""
    count, K = anchors.unset.shape
    coder = MaskCoder(anchors, port.mask_law(model, anchors))
    stream = port.open(ChunkType.MASKS, count, K)
    for k in range(K):
        counts = coder.coded(k)
        coder.take(k, stream.code(coder.distribution(k), counts))
    return coder.fresh


def _check_coarse(values: Int32Array, level: int) -> None:
    most = int(np.abs(values.astype(np.int64)).max(initial=0))
    if most > LARGEST_COARSE:
        raise MalformedError(f"level {level}: symbol of magnitude {most} is refined")


def _next_depths(depths: ByteArray, level: int, ranks: int) -> ByteArray:
    """Append this level's row: unchanged, groups of new anchors start at level - 1."""
    row = depths[-1].copy() if len(depths) else np.zeros(depths.shape[1:], dtype=np.uint8)
    row[(level - 1) * ranks : level * ranks] = level - 1
    return np.concatenate([depths, row[None]])


def _sealed(port: SymbolPort, kind: ChunkType, chain: bytes, content: npt.NDArray[Scalar]) -> bytes:
    """Return the next digest of the chain, after the port checked or noted it."""
    little = np.ascontiguousarray(content).astype(content.dtype.newbyteorder("<"), copy=False)
    digest = chained_digest(chain, little.tobytes())
    port.seal(kind, digest)
    return digest


def _grown(values: npt.NDArray[Scalar], count: int) -> npt.NDArray[Scalar]:
    """Return a copy with `count` zero rows added."""
    more = np.zeros((count, *values.shape[1:]), dtype=values.dtype)
    return np.concatenate([values, more])


def _joined_context(one: AnchorContext, two: AnchorContext) -> AnchorContext:
    return AnchorContext(
        hash_features=np.concatenate([one.hash_features, two.hash_features]),
        step_index=np.concatenate([one.step_index, two.step_index]),
        steps=AnchorSteps(
            feature=np.concatenate([one.steps.feature, two.steps.feature]),
            scaling=np.concatenate([one.steps.scaling, two.steps.scaling]),
            offset=np.concatenate([one.steps.offset, two.steps.offset]),
        ),
    )
