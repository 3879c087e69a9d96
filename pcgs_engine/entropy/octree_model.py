"""Adaptive model of the split tree's bits: contexts in, probabilities out. FORMAT.md §7.1.

Integers only. Four contexts of a bit each give a probability from counts; their logits are mixed
with weights that learn. A step of up to `lanes` bits sees the state before it.
"""

import enum
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = [
    "NEIGHBOUR_STATES",
    "BitKind",
    "BitModel",
    "View",
    "context_rows",
    "learning_shift",
    "logistic_curves",
]

Int64Array = npt.NDArray[np.int64]

NEIGHBOUR_STATES = 729
"""Each of six neighbours is absent, one point or many."""
SIZES = (1280, 1792, NEIGHBOUR_STATES, 256)
"""Values of each of the four contexts."""
STARTS = (0, 1280, 3072, 3801)
SIZE = sum(SIZES)
SETS = 7
"""Weight sets of a kind: the number of neighbours present."""
COUNT_START, COUNT_STEP, COUNT_LIMIT = 3, 5, 5115
WEIGHT_START = 15729
"""0.24 in 1/65536. Measured on real anchors, as the counts above."""
LOGIT_LIMIT = 2047
"""Logits are in 1/256."""
LEAST = 16
"""Smallest probability in 1/65536."""
KNOTS = (
    22, 36, 60, 98, 162, 267, 439, 720, 1179, 1921, 3108, 4971, 7812, 11955, 17625, 24743,
    32768, 40793, 47911, 53581, 57724, 60565, 62428, 63615, 64357, 64816, 65097, 65269, 65374,
    65438, 65476, 65500, 65514,
)  # fmt: skip
"""round(65536 / (1 + exp(-x))) at x = -8, -7.5 ... 8."""


class BitKind(enum.IntEnum):
    """Questions asked of a node; each has its own counts and weights."""

    BOTH = 0
    """Both halves hold points."""
    SIDE = 1
    """The only half that holds points is the right (upper) one."""
    LEFT = 2
    """Of two halves, the left holds many points."""
    RIGHT = 3
    """The right holds many, where the left holds one."""
    RIGHT_BOTH = 4
    """The right holds many, where the left does too."""
    COARSE = 5
    """A lone point lies on the coarse lattice."""
    FINE = 6
    """It lies on the fine one."""
    YOUTH = 7
    """Which half a lone point is in, for its first bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the contexts of nodes are made of."""

    around: Int64Array  # [n] base-3 states of six neighbours, along the split axis first
    history: Int64Array  # [n] last three outcomes, 2 bits each
    lattice: Int64Array  # [n] 0..3 lattices it may lie on, or lies on

    def take(self, index: Int64Array | npt.NDArray[np.bool_]) -> "View":
        """Return some of the nodes."""
        return View(
            around=self.around[index], history=self.history[index], lattice=self.lattice[index]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Neighbours:
    """Look-ups by `View.around`."""

    present: Int64Array
    many: Int64Array
    beside: Int64Array
    """Present across the split axis."""
    axis2: Int64Array
    axis3: Int64Array
    occupied: Int64Array


def _neighbours() -> _Neighbours:
    state = np.arange(NEIGHBOUR_STATES) // 3 ** np.arange(5, -1, -1)[:, None] % 3
    there = (state > 0).astype(np.int64)
    return _Neighbours(
        present=there.sum(axis=0),
        many=(state > 1).sum(axis=0).astype(np.int64),
        beside=there[2:].sum(axis=0),
        axis2=there[0] + 2 * there[1],
        axis3=(state[0] + 3 * state[1]).astype(np.int64),
        occupied=(there << np.arange(5, -1, -1)[:, None]).sum(axis=0),
    )


NEIGHBOURS = _neighbours()


def logistic_curves() -> tuple[Int64Array, Int64Array]:
    """Return `stretch` `[4096]` (12-bit probability to logit) and `squash` `[4096]` (back)."""
    at = np.arange(4096)
    knots, part = np.array(KNOTS, dtype=np.int64), at & 127
    rise = np.diff(knots)
    squash = np.clip(knots[at >> 7] + (rise[at >> 7] * part >> 7), LEAST, (1 << 16) - LEAST)
    stretch = np.searchsorted(squash, at * 16 + 8) - 2048
    return np.clip(stretch, -LOGIT_LIMIT, LOGIT_LIMIT).astype(np.int64), squash


def learning_shift(lanes: int) -> int:
    """Return the right shift of a weight's correction: few lanes learn faster."""
    return 14 + min(2, lanes.bit_length() // 3)


def context_rows(kind: Int64Array | int, height: int, view: View) -> tuple[Int64Array, Int64Array]:
    """Return the counts `[4, n]` and weight sets `[n]` of bits of one kind group."""
    n, around = NEIGHBOURS, view.around
    place = height * 4 + view.lattice
    rows = np.empty((4, len(around)), dtype=np.int64)
    if np.ndim(kind) == 0 and kind in (BitKind.SIDE, BitKind.YOUTH):
        axis = n.axis3[around]
        rows[0] = place * 9 + axis
        rows[1] = ((view.history & 15) * 9 + axis) * 5 + n.beside[around]
        rows[3] = n.occupied[around] * 4 + view.lattice
    else:
        rows[0] = (place * 5 + n.beside[around]) * 4 + n.axis2[around]
        rows[1] = (view.history * 4 + view.lattice) * 7 + n.present[around]
        rows[3] = place * 4 + np.minimum(n.many[around], 3)
    rows[2] = around
    rows += np.array(STARTS, dtype=np.int64)[:, None] + np.asarray(kind, dtype=np.int64) * SIZE
    return rows, np.asarray(kind, dtype=np.int64) * SETS + n.present[around]


class BitModel:
    """Counts and weights; `predict` a step of bits, then `update` with what they were."""

    def __init__(self, lanes: int) -> None:
        self._stretch, self._squash = logistic_curves()
        self._ones = np.full(len(BitKind) * SIZE, COUNT_START, dtype=np.int64)
        self._totals = np.full(len(BitKind) * SIZE, 2 * COUNT_START, dtype=np.int64)
        self._weights = np.full((4, len(BitKind) * SETS), WEIGHT_START, dtype=np.int64)
        self._shift = learning_shift(lanes)
        self._logits = np.zeros((4, 0), dtype=np.int64)

    def predict(self, rows: Int64Array, sets: Int64Array) -> Int64Array:
        """Return 65536 P(1) of each bit, 16..65520."""
        self._logits = self._stretch[(self._ones[rows] << 12) // self._totals[rows]]
        mixed = (self._weights[:, sets] * self._logits).sum(axis=0) >> 16
        result: Int64Array = self._squash[np.clip(mixed, -LOGIT_LIMIT, LOGIT_LIMIT) + 2048]
        return result

    def update(
        self, rows: Int64Array, sets: Int64Array, ones: Int64Array, bits: Int64Array
    ) -> None:
        """Learn from the bits of the step that was predicted last."""
        flat = rows.ravel()
        np.add.at(self._totals, flat, COUNT_STEP)
        np.add.at(self._ones, rows[:, bits > 0].ravel(), COUNT_STEP)
        totals = self._totals[flat]
        if int(totals.max()) > COUNT_LIMIT:
            over = np.unique(flat[totals > COUNT_LIMIT])
            one = self._ones[over] + 1 >> 1
            zero = self._totals[over] - self._ones[over] + 1 >> 1
            self._ones[over], self._totals[over] = one, one + zero
        change = self._logits * ((bits << 16) - ones) >> self._shift
        for row, part in zip(self._weights, change, strict=True):
            np.add.at(row, sets, part)
