"""Laws of Gaussian masks: what is known of an anchor in, probability of each of its bits out.

Bits come in K passes, bit k of all anchors at once. A new anchor has at least one Gaussian, so
its last bit is implied where all before are 0. FORMAT.md §7.2, §8.4.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .distribution import TableDistribution
from .frequencies import bernoulli_rows, bit_probability
from .tables import BIT_LOGIT_RANGE, Tables

__all__ = [
    "STATIC_CLASSES",
    "MaskAnchors",
    "MaskCoder",
    "MaskLaw",
    "MaskNet",
    "NetMaskLaw",
    "StaticMaskLaw",
    "fit_static_law",
    "mask_inputs",
]

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]
Int64Array = npt.NDArray[np.int64]

COUNT_CLASSES = 4
"""New anchors with 0, 1, 2, 3 or more bits set so far."""
PRESENT_CLASSES, FRESH_CLASSES = 6, 3
"""Old anchors: Gaussians present before, up to 5; bits set so far, up to 2."""
STATIC_CLASSES = COUNT_CLASSES + PRESENT_CLASSES * FRESH_CLASSES
SHAPE_INPUTS = 9
"""Scaling [6] and step indices [3]; features follow."""
INPUT_LIMIT = 127
FEATURE_LIMIT, FEATURE_UNIT = 7, 16
SCALING_ORIGIN = 128
HIDDEN_LIMIT = 255
BLOCK = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskNet:
    """One hidden layer over an anchor's integers, shared by all bits (all int8)."""

    base: npt.NDArray[np.int8]  # [K, 4] logit by bit and count
    bias: npt.NDArray[np.int8]  # [W]
    input_weight: npt.NDArray[np.int8]
    """`[W, inputs]`; inputs = 9 (scaling, steps) or 9 + F."""
    bit_weight: npt.NDArray[np.int8]  # [K, W]
    count_weight: npt.NDArray[np.int8]  # [4, W]
    out_weight: npt.NDArray[np.int8]  # [1 or K, W]


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskAnchors:
    """What both ends know before the first bit; old anchors first."""

    unset: BoolArray  # [N, K]
    old: int
    inputs: FloatArray  # [N - old, 9 + F] of new anchors (`mask_inputs`)


class MaskLaw(Protocol):
    """Chooses a probability for every coded bit of a pass."""

    def begin(self, anchors: MaskAnchors) -> None:
        """Take the anchors of the level."""
        ...

    def distribution(self, k: int, rows: Int64Array, counts: Int64Array) -> TableDistribution:
        """Return the law of bit k of `rows`, of which `counts` bits were set so far."""
        ...


class MaskCoder:
    """Walks the passes of a level: which bits are coded, what they become."""

    def __init__(self, anchors: MaskAnchors, law: MaskLaw) -> None:
        law.begin(anchors)
        self._anchors = anchors
        self._law = law
        self._counts = np.zeros(len(anchors.unset), dtype=np.int64)
        self._rows = np.zeros(0, dtype=np.int64)
        self.fresh: BoolArray = np.zeros(anchors.unset.shape, dtype=np.bool_)
        """Bits set by the passes so far."""

    def coded(self, k: int) -> Int64Array:
        """Return how many bits (0 or 1) each anchor codes in pass k."""
        coded = self._anchors.unset[:, k].copy()
        if k == self._anchors.unset.shape[1] - 1:
            coded[self._anchors.old :] &= self._counts[self._anchors.old :] > 0
        self._rows = np.flatnonzero(coded)
        return coded.astype(np.int64)

    def distribution(self, k: int) -> TableDistribution:
        """Return the law of the bits that `coded` chose."""
        return self._law.distribution(k, self._rows, self._counts[self._rows])

    def take(self, k: int, bits: npt.NDArray[np.int32]) -> None:
        """Take the bits of pass k."""
        self.fresh[self._rows, k] = bits == 1
        if k == self.fresh.shape[1] - 1:
            new = slice(self._anchors.old, None)
            self.fresh[new, k] |= self._counts[new] == 0
        self._counts += self.fresh[:, k]


class StaticMaskLaw:
    """One probability per class: bits set so far, and for old anchors Gaussians present."""

    def __init__(self, probability: Int64Array) -> None:
        """Take the probability of a 0 of each class, 1..65535."""
        self._rows = bernoulli_rows(probability)
        self._present = np.zeros(0, dtype=np.int64)
        self._old = 0

    def begin(self, anchors: MaskAnchors) -> None:
        """Count what is present."""
        self._old = anchors.old
        self._present = (~anchors.unset[: anchors.old]).sum(axis=1)

    def classes(self, rows: Int64Array, counts: Int64Array) -> Int64Array:
        """Return the class of each row."""
        old = rows < self._old
        present = np.minimum(self._present[rows[old]], PRESENT_CLASSES - 1)
        found = np.minimum(counts, COUNT_CLASSES - 1)
        set_now = np.minimum(counts[old], FRESH_CLASSES - 1)
        found[old] = COUNT_CLASSES + FRESH_CLASSES * present + set_now
        return found

    def distribution(self, k: int, rows: Int64Array, counts: Int64Array) -> TableDistribution:
        """Look the class up; k does not matter."""
        return TableDistribution(tables=self._rows, index=self.classes(rows, counts))


class NetMaskLaw:
    """A small network over each anchor's integers; for levels without old anchors."""

    def __init__(self, net: MaskNet, tables: Tables) -> None:
        self._net = net
        self._rows = bernoulli_rows(tables.bit_zero)
        self._sums = np.zeros((0, len(net.bias)), dtype=np.float32)

    def begin(self, anchors: MaskAnchors) -> None:
        """Evaluate the part of the hidden layer that no bit changes."""
        weight = self._net.input_weight.astype(np.float32)
        used = anchors.inputs[:, : weight.shape[1]]
        self._sums = used @ weight.T  # exact: at most 127 * 127 * 265 < 2**24
        self._sums += 32.0 * self._net.bias.astype(np.float32)

    def distribution(self, k: int, rows: Int64Array, counts: Int64Array) -> TableDistribution:
        """Evaluate the net for bit k."""
        net, classes = self._net, np.minimum(counts, COUNT_CLASSES - 1)
        by_count = 32.0 * (net.bit_weight[k].astype(np.float32) + net.count_weight)
        out = net.out_weight[min(k, len(net.out_weight) - 1)].astype(np.float32)
        logit = 2.0 * net.base[k].astype(np.float32)[classes]
        for begin in range(0, len(rows), BLOCK):
            at = slice(begin, begin + BLOCK)
            hidden = self._sums[rows[at]]
            hidden += by_count.astype(np.float32)[classes[at]]
            hidden *= np.float32(1 / 8)
            np.clip(np.floor(hidden, out=hidden), 0, HIDDEN_LIMIT, out=hidden)
            logit[at] += np.floor((hidden @ out) * np.float32(1 / 16))
        index = np.clip(logit, -BIT_LOGIT_RANGE, BIT_LOGIT_RANGE).astype(np.int64)
        return TableDistribution(tables=self._rows, index=index + BIT_LOGIT_RANGE)


def mask_inputs(
    features: npt.NDArray[np.int32],  # [N, F] symbols of the level
    scaling: npt.NDArray[np.int32],  # [N, 6] symbols of the level
    step_index: npt.NDArray[np.int16],  # [N, 3]
) -> FloatArray:
    """Return `[N, 9 + F]` integers of at most 127 in float32: what a mask net looks at."""
    shape = np.clip(_log_units(scaling) - SCALING_ORIGIN, -INPUT_LIMIT, INPUT_LIMIT)
    steps = np.clip(step_index, -INPUT_LIMIT, INPUT_LIMIT)
    symbols = FEATURE_UNIT * np.clip(features, -FEATURE_LIMIT, FEATURE_LIMIT)
    inputs: FloatArray = np.concatenate([shape, steps, symbols], axis=1).astype(np.float32)
    return inputs


def _log_units(scaling: npt.NDArray[np.int32]) -> Int64Array:
    """Return 32 log2(4 n + 1), piecewise linear, in integers."""
    value = 4 * np.maximum(scaling, 0).astype(np.int64) + 1
    octave = np.frexp(value.astype(np.float64))[1].astype(np.int64) - 1
    units: Int64Array = 32 * octave + ((value << 5 >> octave) - 32)
    return units


def fit_static_law(anchors: MaskAnchors, fresh: BoolArray) -> Int64Array:
    """Return the measured probability of a 0 of every static class."""
    law = StaticMaskLaw(np.full(STATIC_CLASSES, 1 << 15, dtype=np.int64))
    coder = MaskCoder(anchors, law)
    total = np.zeros(STATIC_CLASSES, dtype=np.int64)
    ones = np.zeros(STATIC_CLASSES, dtype=np.int64)
    for k in range(fresh.shape[1]):
        rows = np.flatnonzero(coder.coded(k))
        index = coder.distribution(k).index
        bits = fresh[rows, k]
        total += np.bincount(index, minlength=STATIC_CLASSES)
        ones += np.bincount(index[bits], minlength=STATIC_CLASSES)
        coder.take(k, bits.astype(np.int32))
    found = [bit_probability(t - o, t) for t, o in zip(total.tolist(), ones.tolist(), strict=True)]
    return np.array(found, dtype=np.int64)
