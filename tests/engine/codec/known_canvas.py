"""What a decoder must know at a cut point, worked out plainly from the model and the block lists.

Nothing of the canvas code is used: symbols at their finest are rounded to thirds as often as the
refinement chunks of the file leave undone.
"""

from dataclasses import dataclass

import numpy as np

from pcgs_engine.bitstream import ChunkType
from pcgs_engine.codec.cut_points import cut_points
from pcgs_engine.codec.decoder import ProgressiveDecoder
from pcgs_engine.codec.refinement_chunk import unpack_refinement

FIELDS = ("positions", "mask_level", "features", "scaling", "offsets")


@dataclass(frozen=True)
class KnownCanvas:
    """State of all anchors at one cut point."""

    level: int
    part: int
    end: int
    positions: np.ndarray
    mask_level: np.ndarray
    features: np.ndarray
    scaling: np.ndarray
    offsets: np.ndarray
    depths: np.ndarray
    """`[N, F + 6]`."""


def table_of(data):
    decoder = ProgressiveDecoder(last_level=1)
    decoder.feed(data)
    return decoder.table


def blocks_of(data, coded):
    """Blocks of every refinement chunk by (level, part)."""
    groups = coded.config.num_levels * coded.ranking.ranks
    found = {}
    for chunk in table_of(data).chunks:
        if chunk.kind is ChunkType.REFINEMENTS:
            raw = data[chunk.offset : chunk.end]
            channels = coded.config.feature_dim + 6
            found[chunk.level, chunk.part] = unpack_refinement(raw, groups, channels)[0]
    return found


def known_canvases(data, coded):
    """Return the state at every cut point of `data`, first to last."""
    blocks = blocks_of(data, coded)
    anchors, ranks = coded.anchors, coded.ranking.ranks
    first = anchors.first_level.astype(int)
    group = (first - 1) * ranks + coded.ranking.rank
    depths = np.repeat((first - 1)[:, None], coded.config.feature_dim + 6, axis=1)
    found = []
    for cut in cut_points(table_of(data)):
        for block in blocks.get((cut.level, cut.part), []):
            old = (group == block.group) & (first < cut.level)
            depths[old, block.channel] += 1
        found.append(_state(coded, cut, depths))
    return found


def _state(coded, cut, depths):
    anchors = coded.anchors
    rows = anchors.first_level <= cut.level
    shown = (anchors.mask_level > 0) & (anchors.mask_level <= cut.level)
    F, finest = coded.config.feature_dim, coded.config.num_levels - 1
    return KnownCanvas(
        level=cut.level,
        part=cut.part,
        end=cut.end,
        positions=anchors.positions[rows],
        mask_level=np.where(shown, anchors.mask_level, 0)[rows],
        features=rounded_to_thirds(anchors.features, finest - depths[:, :F])[rows],
        scaling=rounded_to_thirds(anchors.scaling, finest - depths[:, F:])[rows],
        offsets=np.where(shown[:, :, None], anchors.offsets, 0)[rows],
        depths=depths[rows].copy(),
    )


def rounded_to_thirds(values, times):
    """Divide by 3 and round to the nearest, `times` times; a third is never a tie."""
    result = values.astype(np.float64)
    for done in range(int(times.max(initial=0))):
        result = np.where(times > done, np.rint(result / 3), result)
    return result.astype(np.int64)
