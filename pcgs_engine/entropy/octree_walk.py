"""The split tree of positions: cells are halved until each holds one point. FORMAT.md §7.1.

The axes take turns, x first. One walk serves both directions: a coder is asked for every bit, and
told it when the points are known. All nodes of a level are asked together, so that each sees its
neighbours at that level.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import MalformedError
from .octree_bits import TreeCoder
from .octree_model import BitKind, View

__all__ = ["walk_tree"]

Int64Array = npt.NDArray[np.int64]

FINAL, SINGLE, MANY = 0, 1, 2
YOUNG = 3
"""Bits of a lone point that the model predicts; the rest is raw."""
SHORTEST = 16
"""Nodes of more undecided bits count as having this many."""
ROOT_HISTORY = 0b010101


@dataclass(frozen=True, slots=True, kw_only=True)
class _Items:
    """Cells and points known so far, in order of their codes."""

    code: Int64Array  # [m] undecided bits are 0
    state: Int64Array  # FINAL: all bits known; SINGLE: one point; MANY: two or more
    history: Int64Array  # last three outcomes, 2 bits each
    young: Int64Array  # modelled bits to come
    lattice: Int64Array  # 1, 2: a point on that lattice


@dataclass(frozen=True, slots=True, kw_only=True)
class _Nodes:
    """Items that are not final."""

    item: Int64Array  # [n]
    near: Int64Array  # [6, n] items below and above along x, y, z; -1 for none


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tree:
    coder: TreeCoder
    points: Int64Array | None
    """Sorted codes, where known."""
    widths: tuple[int, int]

    def point_of(self, code: Int64Array) -> Int64Array | None:
        """Return the only point in each cell, where points are known."""
        return None if self.points is None else self.points[np.searchsorted(self.points, code)]

    def lattices(self, code: Int64Array, shift: int) -> Int64Array:
        """Return which lattices a cell of `shift` undecided bits may lie on: 2 first, 1 second."""
        first, second = (
            (code & (1 << width) - 1) == 0 if width > shift else np.ones(len(code), dtype=bool)
            for width in self.widths
        )
        result: Int64Array = first * 2 + second.astype(np.int64)
        return result


def walk_tree(
    coder: TreeCoder,
    count: int,
    depth: int,
    widths: tuple[int, int],
    points: Int64Array | None = None,
) -> Int64Array:
    """Code the `[count]` sorted codes of `depth` bits (a multiple of 3); returns them.

    Raises:
        MalformedError: the bits do not describe `count` points.
    """
    tree = _Tree(coder=coder, points=points, widths=widths)
    zero = np.zeros(1, dtype=np.int64)
    items = _Items(
        code=zero, state=zero + MANY, history=zero + ROOT_HISTORY, young=zero, lattice=zero
    )
    if count == 1:
        born = View(around=zero, history=items.history, lattice=tree.lattices(zero, depth))
        items = _settle(tree, items, zero, born, SHORTEST - 1, depth)
    nodes = _Nodes(item=np.flatnonzero(items.state), near=np.full((6, 1), -1, dtype=np.int64))
    for shift in range(depth, 0, -1):
        if len(nodes.item) == 0:
            break
        items, nodes = _split(tree, items, nodes, shift)
        if len(items.code) > count:
            raise MalformedError(f"octree has {len(items.code)} cells, wanted at most {count}")
    if len(items.code) != count or items.state.any():
        raise MalformedError(f"octree has {len(items.code)} points, wanted {count}")
    return items.code


def _split(tree: _Tree, items: _Items, nodes: _Nodes, shift: int) -> tuple[_Items, _Nodes]:
    """Halve every node; returns the new items and nodes."""
    height = min(shift, SHORTEST) - 1
    of_node = items.state[nodes.item]
    lattice = np.where(
        of_node == MANY, tree.lattices(items.code[nodes.item], shift), items.lattice[nodes.item]
    )
    view = View(
        around=_around(items, nodes, shift), history=items.history[nodes.item], lattice=lattice
    )
    outcome = _ask(tree, items, nodes, view, shift, height)
    node_of = np.zeros(len(items.code), dtype=np.int64)
    node_of[nodes.item] = np.arange(len(nodes.item))
    # Final items and lone points go to one side; a lone point's outcome is that side.
    sides = np.left_shift(1, items.code >> (shift - 1) & 1)
    sides[nodes.item] = np.where(of_node == MANY, outcome & 3, 1 << (outcome & 1))
    parent, side = np.nonzero(sides[:, None] >> np.arange(2) & 1)
    child = np.full((len(items.code), 2), -1, dtype=np.int64)
    child[parent, side] = np.arange(len(parent))
    node = node_of[parent]
    state, history = items.state[parent], items.history[parent]
    split = state == MANY
    result = outcome[node]
    now = np.where(result & 3 < 3, 0, np.where(result & 12 == 12, 3, 1))
    state[split & (result >> (2 + side) & 1 == 0)] = SINGLE
    young = items.young[parent] - (state == SINGLE) * ~split
    grown = _Items(
        code=items.code[parent] | side << (shift - 1),
        state=state,
        history=np.where(split, (history << 2 | now) & 63, history),
        young=young,
        lattice=items.lattice[parent],
    )
    born = np.flatnonzero(split & (state == SINGLE))
    born_view = View(
        around=view.around[node[born]],
        history=grown.history[born],
        lattice=tree.lattices(grown.code[born], shift - 1),
    )
    grown = _settle(tree, grown, born, born_view, height, shift - 1)
    finishing = np.flatnonzero(~split & (state == SINGLE) & (young == 0))
    grown = _finish(tree, grown, finishing, shift - 1)
    alive = np.flatnonzero(grown.state)
    near = _inherit(nodes, child, node[alive], side[alive], shift)
    return grown, _Nodes(item=alive, near=near)


def _around(items: _Items, nodes: _Nodes, shift: int) -> Int64Array:
    """Return the states of the six neighbours in base 3, along the split axis first."""
    states = np.append(np.where(items.state == MANY, 2, 1), 0)  # index -1: none
    axis, around = 2 - (shift - 1) % 3, np.zeros(len(nodes.item), dtype=np.int64)
    for k in range(6):
        around = around * 3 + states[nodes.near[2 * ((axis + k // 2) % 3) + k % 2]]
    return around


def _inherit(
    nodes: _Nodes, child: Int64Array, node: Int64Array, side: Int64Array, shift: int
) -> Int64Array:
    """Return the neighbours `[6, n]` of new nodes: children of their parent's neighbours."""
    axis, near = 2 - (shift - 1) % 3, np.empty((6, len(node)), dtype=np.int64)
    for k in range(6):
        at, there = nodes.near[k, node], side
        if k // 2 == axis:
            sibling = side != k % 2
            at, there = np.where(sibling, nodes.item[node], at), 1 - side
        near[k] = np.where(at < 0, -1, child[at, there])
    return near


def _ask(
    tree: _Tree, items: _Items, nodes: _Nodes, view: View, shift: int, height: int
) -> Int64Array:
    """Return the outcome `[n]`: bit 0 left exists, 1 right exists, 2 left is many, 3 right is many.

    For a lone point: the side it lies on.
    """
    code, outcome = items.code[nodes.item], np.zeros(len(nodes.item), dtype=np.int64)
    is_many = items.state[nodes.item] == MANY
    many, lone = np.flatnonzero(is_many), np.flatnonzero(~is_many)
    truth = None if tree.points is None else _outcomes(tree.points, code, shift)

    def known(index: Int64Array, bit: int) -> Int64Array | None:
        return None if truth is None else truth[index] >> bit & 1

    if shift == 1:
        outcome[many] = 3
    else:
        both = None if truth is None else (truth[many] & 3 == 3).astype(np.int64)
        outcome[many] = 3 * tree.coder.code(BitKind.BOTH, height, view.take(many), both)
    one_sided = many[outcome[many] == 0]
    right = tree.coder.code(BitKind.SIDE, height, view.take(one_sided), known(one_sided, 1))
    outcome[one_sided] = np.where(right > 0, 10, 5)
    two = many[outcome[many] == 3]
    if shift > 1:
        seen = view.take(two)
        left = tree.coder.code(BitKind.LEFT, height, seen, known(two, 2))
        right = tree.coder.code(BitKind.RIGHT + left, height, seen, known(two, 3))
        outcome[two] += 4 * left + 8 * right
    # A lone point is either left or right, so "right exists" is its bit.
    outcome[lone] = tree.coder.code(BitKind.YOUTH, height, view.take(lone), known(lone, 1))
    return outcome


def _outcomes(points: Int64Array, code: Int64Array, shift: int) -> Int64Array:
    first = np.searchsorted(points, code)
    middle = np.searchsorted(points, code | 1 << (shift - 1))
    last = np.searchsorted(points, code | (1 << shift) - 1, side="right")
    left, right = middle - first, last - middle
    result: Int64Array = (
        (left > 0) + 2 * (right > 0) + 4 * (left > 1) + 8 * (right > 1).astype(np.int64)
    )
    return result


def _settle(
    tree: _Tree, items: _Items, born: Int64Array, view: View, height: int, rest: int
) -> _Items:
    """Ask the points that became single for their lattice; `rest` bits are undecided."""
    lattice, state, young = items.lattice.copy(), items.state.copy(), items.young.copy()
    points = tree.point_of(items.code[born])
    for k, width in enumerate(tree.widths):
        if width == 0:
            continue
        at = np.flatnonzero((lattice[born] == 0) & (view.lattice >> (1 - k) & 1 > 0))
        known = None
        if points is not None:
            known = (points[at] & (1 << width) - 1 == 0).astype(np.int64)
        bits = tree.coder.code(BitKind.COARSE + k, height, view.take(at), known)
        lattice[born[at]] = bits * (k + 1)
    zeros = np.array([0, *tree.widths])
    left = np.clip(rest - zeros[lattice[born]], 0, YOUNG)
    young[born], state[born] = left, np.where(left > 0, SINGLE, FINAL)
    return _Items(code=items.code, state=state, history=items.history, young=young, lattice=lattice)


def _finish(tree: _Tree, items: _Items, finishing: Int64Array, rest: int) -> _Items:
    """Take the raw bits of points whose modelled bits are over; by lattice, then in order."""
    code, state = items.code.copy(), items.state.copy()
    for group, zeros in enumerate((0, *tree.widths)):
        at = finishing[items.lattice[finishing] == group]
        points = tree.point_of(code[at])
        known = None if points is None else (points & (1 << rest) - 1) >> zeros
        if len(at):
            code[at] |= tree.coder.raw(rest - zeros, len(at), known) << zeros
    state[finishing] = FINAL
    return _Items(
        code=code, state=state, history=items.history, young=items.young, lattice=items.lattice
    )
