"""Splats: decoded anchors to standard 3DGS primitives (numpy only).

`read_ply` and `write_ply` are in `splats.ply`, which needs plyfile; they are not re-exported, so
that decoding needs numpy alone.
"""

from .anchor_set import AnchorSet
from .head_weights import Dense, HeadWeights
from .splat_cloud import SplatCloud
from .to_splats import to_splats

__all__ = ["AnchorSet", "Dense", "HeadWeights", "SplatCloud", "to_splats"]
