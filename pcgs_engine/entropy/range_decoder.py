"""Range decoder in numpy: lane bytes and distributions in, symbols out. FORMAT.md §5.

All lanes advance in lockstep and keep their state between passes. Any input terminates after the
symbols asked for, each inside its alphabet; bytes past the end of a lane read as zeros.
"""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from .distribution import Distribution, MixtureDistribution
from .lane_layout import LockstepOrder, lockstep_order
from .lockstep_laws import DecodedSymbols, LockstepLaw, lockstep_law

__all__ = ["NumpyLanes"]

Int64Array = npt.NDArray[np.int64]

MASK32 = 0xFFFFFFFF
PAD = 8
"""Zero bytes after each lane."""
WORD_BYTES = 5
"""A word holds the bits that end inside its last byte, 32 of them at least."""
BLOCK = 1 << 17
"""Symbols whose laws are alive at once: bounds memory, does not change results."""
EXPONENT_SHIFT, EXPONENT_OF_32_BITS = 52, 1022 + 32
"""float64: position of the exponent, and its value for integers of 32 bits."""


class NumpyLanes:
    """Decoder state of all lanes of a stream."""

    def __init__(
        self,
        data: bytes,
        sizes: Int64Array,  # [lanes] bytes of each lane, one after the other in `data`
    ) -> None:
        """Read the first 32 bits of each lane."""
        lanes = len(sizes)
        self._words, self._first = _padded_words(data, sizes)
        self._last = self._first + sizes + (WORD_BYTES - 1)
        self._range = np.zeros((2, lanes), dtype=np.int64)  # low, 2**32 - 1 - high
        self._offset = self._words[self._first + 4] >> 7 & MASK32
        self.position = np.full(lanes, 32, dtype=np.int64)
        """`[lanes]` bits read."""

    def take(
        self,
        distribution: Distribution,
        bounds: Int64Array,  # [lanes + 1]
    ) -> DecodedSymbols:
        """Decode a pass: symbols `bounds[j]` .. `bounds[j + 1] - 1` from lane j."""
        order = lockstep_order(bounds)
        symbols = np.zeros(len(order.symbols), dtype=np.int32)
        mixture = isinstance(distribution, MixtureDistribution)
        edges = np.zeros(len(symbols), dtype=np.int8) if mixture else None
        registers = _Registers(self._words, self._lane_state(order.rank))
        for begin, end in order.blocks(BLOCK):
            places = slice(int(order.ends[begin]), int(order.ends[end]))
            at = order.symbols[places]
            law = lockstep_law(distribution, at, len(bounds) - 1)
            _run_block(registers, law, order, begin, end)
            found = law.decoded()
            symbols[at] = found.symbols
            if edges is not None and found.edges is not None:
                edges[at] = found.edges
        self._keep(order.rank, registers.state)
        return DecodedSymbols(symbols=symbols, edges=edges)

    def _lane_state(self, rank: Int64Array) -> Int64Array:
        rows = (*self._range, self._offset, self.position, self._first, self._last)
        return np.stack([row[rank] for row in rows])

    def _keep(self, rank: Int64Array, state: Int64Array) -> None:
        self._range[:, rank] = state[:2]
        self._offset[rank], self.position[rank] = state[2], state[3]


def _run_block(
    registers: "_Registers", law: LockstepLaw, order: LockstepOrder, begin: int, end: int
) -> None:
    edges = order.ends[begin : end + 1]
    places = (edges - edges[0]).tolist()
    active = -1
    for first, last in pairwise(places):
        if last - first != active:
            active = last - first
            registers.narrow(active)
        registers.advance(law.search(slice(first, last), registers.counts()))


class _Registers:
    """State of the first n lanes and scratch arrays; `state` rows: see `_lane_state`."""

    def __init__(self, words: Int64Array, state: Int64Array) -> None:
        lanes = state.shape[1]
        self.state = state
        self._words = words
        self._scratch = np.empty((5, lanes), dtype=np.int64)
        self._quotient = np.empty(lanes, dtype=np.float64)

    def narrow(self, lanes: int) -> None:
        """Work on the first `lanes` lanes from now on."""
        self._range = self.state[:2, :lanes]
        self._low, self._rest, self._offset, self._position, self._first, self._last = (
            row[:lanes] for row in self.state
        )
        self._span, self._count, self._word, self._same, self._shift = (
            row[:lanes] for row in self._scratch
        )
        self._float = self._quotient[:lanes]
        self._float_bits = self._float.view(np.int64)

    def counts(self) -> Int64Array:
        """Return the largest c with (span * c) >> 16 <= offset."""
        np.add(self._low, self._rest, out=self._span)
        np.subtract(MASK32 + 1, self._span, out=self._span)
        np.left_shift(self._offset, 16, out=self._word)
        np.bitwise_or(self._word, 0xFFFF, out=self._word)
        # The quotient is below 2**16 and no integer lies within 2**-32 above it, so that its
        # rounding to 53 bits cannot change its floor.
        np.true_divide(self._word, self._span, out=self._float)
        counts: Int64Array = self._count
        np.copyto(counts, self._float, casting="unsafe")
        return counts

    def advance(self, ends: Int64Array) -> None:
        """Narrow the range to c = ends[0] .. ends[1] and read the bits that are settled."""
        low, rest, word, same, shift = self._low, self._rest, self._word, self._same, self._shift
        np.multiply(ends, self._span, out=ends)
        np.right_shift(ends, 16, out=ends)
        np.add(rest, self._span, out=rest)
        np.subtract(rest, ends[1], out=rest)
        np.add(low, ends[0], out=low)
        np.subtract(self._offset, ends[0], out=self._offset)
        np.bitwise_xor(low, rest, out=word)
        np.bitwise_xor(word, MASK32, out=word)  # low ^ high
        self._leading_zeros(word, same)
        np.bitwise_and(low, rest, out=word)  # 01 in low above 10 in high
        np.add(same, 1, out=shift)
        np.left_shift(word, shift, out=word)
        np.bitwise_and(word, MASK32, out=word)
        np.bitwise_xor(word, MASK32, out=word)
        self._leading_zeros(word, shift)
        np.add(shift, same, out=shift)
        np.left_shift(self._range, shift, out=self._range)
        np.bitwise_and(self._range, 0x7FFFFFFF, out=self._range)
        self._read(shift)

    def _leading_zeros(self, values: Int64Array, out: Int64Array) -> None:
        """Count the zeros above values of 1..2**32-1 in 32 bits, by their float exponent."""
        np.copyto(self._float, values)
        np.right_shift(self._float_bits, EXPONENT_SHIFT, out=out)
        np.subtract(EXPONENT_OF_32_BITS, out, out=out)

    def _read(self, shift: Int64Array) -> None:
        place, word = self._same, self._word
        np.add(self._position, shift, out=self._position)
        np.right_shift(self._position, 3, out=place)
        np.add(place, self._first, out=place)
        np.minimum(place, self._last, out=place)
        self._words.take(place, out=word, mode="clip")
        np.invert(self._position, out=place)
        np.bitwise_and(place, 7, out=place)
        np.right_shift(word, place, out=word)
        np.left_shift(1, shift, out=place)
        np.subtract(place, 1, out=place)
        np.bitwise_and(word, place, out=word)
        np.left_shift(self._offset, shift, out=self._offset)
        np.bitwise_or(self._offset, word, out=self._offset)


def _padded_words(data: bytes, sizes: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Return, for each byte of zero-padded lanes, the 40 bits up to it less the last; starts."""
    starts = np.cumsum(sizes + PAD) - sizes
    padded = np.zeros(PAD + int((sizes + PAD).sum()), dtype=np.uint8)
    source = np.frombuffer(data, dtype=np.uint8)
    shift = np.repeat((np.arange(len(sizes), dtype=np.int64) + 1) * PAD, sizes)
    padded[np.arange(len(source), dtype=np.int64) + shift] = source
    words = np.zeros(len(padded), dtype=np.int64)
    for byte in range(WORD_BYTES):
        back = WORD_BYTES - 1 - byte
        words[back:] |= padded[: len(padded) - back].astype(np.int64) << (8 * back)
    return words >> 1, starts
