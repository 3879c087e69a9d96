"""Order of refinements: gains and bits of blocks in, packages out. FORMAT.md does not bind it.

The blocks of a level come in falling order of gain per bit; those that bring too little are not
sent at all and stay coarse (facts §4.5: the last levels of the paper are near incompressible).
"""

from dataclasses import dataclass

from ..entropy.coded_model import Ranking
from ..entropy.ideal_bits import ideal_bits
from ..entropy.refinement_laws import Block, RefinementLaws
from .anchor_canvas import AnchorCanvas
from .known_level import KnownLevel

__all__ = [
    "Candidate",
    "RefinementPlan",
    "mean_slope",
    "plan_refinements",
    "refinement_candidates",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefinementPlan:
    """How refinements are chosen and cut into packages.

    The unit of worth is the mean gain per bit of refining every old anchor at level 2.
    """

    packages: int = 16
    """Wanted packages of a level, of about equal size."""
    first_worth: float = 0.25
    """Least worth of a block at level 2; lower ones wait for a later level."""
    last_worth: float = 0.05
    """Least worth of a block at the last level; lower ones are never sent."""

    def least_worth(self, level: int, levels: int) -> float:
        """Return the bar of a level, falling geometrically from level 2 to the last."""
        if level == 2 < levels:
            return self.first_worth
        if level >= levels or min(self.first_worth, self.last_worth) <= 0:
            return self.last_worth
        share = (level - 2) / (levels - 2)
        return float(self.first_worth ** (1 - share) * self.last_worth**share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A block and what refining it once brings and costs."""

    block: Block
    gain: float
    bits: float

    @property
    def slope(self) -> float:
        """Gain per bit."""
        return self.gain / max(self.bits, 1.0)


def plan_refinements(
    candidates: list[Candidate], least_slope: float, packages: int
) -> list[list[Block]]:
    """Return the packages of a level in the order of their worth.

    Args:
        candidates: all blocks that can be refined.
        least_slope: gain per bit below which a block is left out.
        packages: wanted number, of about equal size.
    """
    kept = [c for c in candidates if c.slope >= least_slope]
    kept.sort(key=lambda c: (-c.slope, c.block))
    share = sum(c.bits for c in kept) / packages
    found: list[list[Block]] = []
    filled = 0.0
    for candidate in kept:
        if len(found) <= filled / max(share, 1.0):
            found.append([])
        found[-1].append(candidate.block)
        filled += candidate.bits
    return found


def mean_slope(candidates: list[Candidate]) -> float:
    """Return the gain per bit of refining everything."""
    bits = sum(c.bits for c in candidates)
    return sum(c.gain for c in candidates) / max(bits, 1.0)


def refinement_candidates(
    canvas: AnchorCanvas, laws: RefinementLaws, known: KnownLevel, ranking: Ranking
) -> list[Candidate]:
    """Every block of old anchors that can be refined at this level."""
    found = []
    channels = canvas.depths.shape[2]
    for group in range((canvas.level - 1) * ranking.ranks):
        rows = laws.rows(group)
        if len(rows) == 0:
            continue
        for channel in range(channels):
            depth = int(canvas.depths[-1][group, channel])
            block = Block(group=group, channel=channel)
            trits = known.trits(canvas, rows, block, depth)
            bits = ideal_bits(laws.law([(block, depth)]), trits)
            gain = float(ranking.gain[group, channel, depth])
            found.append(Candidate(block=block, gain=gain, bits=bits))
    return found
