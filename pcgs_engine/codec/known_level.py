"""The symbols of one level as a decoder will meet them, taken from anchors at their finest."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..config import ModelConfig
from ..entropy.coded_model import CodedAnchors
from ..entropy.refinement_laws import Block
from .anchor_canvas import AnchorCanvas, undone

__all__ = ["KnownLevel"]

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLevel:
    """What level `level` of a model adds."""

    config: ModelConfig
    anchors: CodedAnchors
    level: int  # 1-based

    @property
    def new(self) -> slice:
        """Rows of the anchors that appear at this level."""
        first = self.anchors.first_level
        begin = int(np.searchsorted(first, self.level))
        return slice(begin, int(np.searchsorted(first, self.level + 1)))

    @property
    def fresh(self) -> npt.NDArray[np.bool_]:
        """Which Gaussians appear, `[N_old + N_new, K]`."""
        present: npt.NDArray[np.bool_] = self.anchors.mask_level[: self.new.stop] == self.level
        return present

    @property
    def features(self) -> Int32Array:
        """First-decode symbols `[N_new, F]`."""
        return self._coarse(self.anchors.features[self.new], self.level - 1)

    @property
    def scaling(self) -> Int32Array:
        """First-decode symbols `[N_new, 6]`."""
        return self._coarse(self.anchors.scaling[self.new], self.level - 1)

    @property
    def offsets(self) -> Int32Array:
        """Offsets of fresh Gaussians `[G_new, 3]`, in (anchor, k) order."""
        offsets: Int32Array = self.anchors.offsets[: self.new.stop][self.fresh]
        return offsets

    def trits(self, canvas: AnchorCanvas, rows: Int64Array, block: Block, depth: int) -> Int32Array:
        """Return the trits that take `rows` of a block from `depth` to `depth + 1`."""
        F, channel = self.config.feature_dim, block.channel
        if channel < F:
            now, finest = canvas.features[rows, channel], self.anchors.features[rows, channel]
        else:
            now, finest = canvas.scaling[rows, channel - F], self.anchors.scaling[rows, channel - F]
        trits: Int32Array = self._coarse(finest, depth + 1) - 3 * now + 1
        return trits

    def _coarse(self, finest: Int32Array, depth: int) -> Int32Array:
        steps = np.full((1,) * finest.ndim, self.config.num_levels - 1 - depth)
        return undone(finest, steps)
