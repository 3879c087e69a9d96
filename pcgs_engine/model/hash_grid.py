"""Binary multi-resolution hash grid: anchor positions to hash features [n, G], trainable.

In: positions in world units and the box they live in. Out: features in [-1, 1], the signs that
are coded, and their estimated bits. Exact definition: docs/design.md, hash grid; facts §2.1.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from ..config import HashGridConfig
from ..entropy.hash_features import GridLevel, grid_levels
from ..errors import ConfigError
from ..kernels import hash_grid as kernels
from ..kernels.pool import KernelPool, balanced_ranges, even_ranges

__all__ = ["HashGrid", "HashLookup"]

INIT_RANGE = 1e-4
"""Entries start uniform in ±this. Source: facts §2.1."""
HEADER_BITS = 32.0
"""Cost of the frequency itself. Source: facts §2.1."""
MIN_PROBABILITY = 1e-6
"""Keeps the entropy's gradient finite when all signs agree."""
POSITIONS_PER_PIECE = 4096
PRIMES = (1, 2654435761, 805459861)
UINT32 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class HashLookup:
    """Where fixed positions look into the table: one column per level corner."""

    rows: Tensor  # [n, C] int32, rows of the whole table
    weights: Tensor  # [n, C] float32, sum to 1 over a level's corners or are all 0
    table_rows: int
    """Rows of the table this lookup was made for."""

    def __len__(self) -> int:
        """Return the number of positions."""
        return self.rows.shape[0]


class HashGrid(nn.Module):
    """Trainable table of signs, read by multilinear interpolation.

    The numba kernels run where the table is on the CPU and a pool is given; otherwise plain torch
    does the same (the readable reference, and the path for accelerators).
    """

    table: nn.Parameter
    """[E, features_per_level] float32; only the signs matter, sign(0) = +1."""
    box_min: Tensor  # [3] float32, world units
    box_max: Tensor  # [3] float32, world units

    def __init__(
        self,
        config: HashGridConfig,
        box_min: Tensor,  # [3]
        box_max: Tensor,  # [3]
        *,
        pool: KernelPool | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        """Fill the table from `generator`, uniform in ±`INIT_RANGE`.

        Raises:
            ConfigError: the box is not finite or empty.
        """
        super().__init__()
        self.config = config
        self._pool = pool
        self._levels = grid_levels(config)
        self._entries = self._levels[-1].start + self._levels[-1].entries
        table = torch.empty(self._entries, config.features_per_level)
        self.table = nn.Parameter(table.uniform_(-INIT_RANGE, INIT_RANGE, generator=generator))
        self.register_buffer("box_min", torch.zeros(3))
        self.register_buffer("box_max", torch.ones(3))
        self.set_box(box_min, box_max)

    def set_box(self, box_min: Tensor, box_max: Tensor) -> None:
        """Span another box; lookups prepared before are no longer valid.

        Raises:
            ConfigError: a corner is not finite, or the box has no extent on an axis.
        """
        low, high = box_min.detach().float(), box_max.detach().float()
        extent = high - low
        if extent.shape != (3,) or not bool((torch.isfinite(extent) & (extent > 0)).all()):
            found = f"{low.tolist()} to {high.tolist()}"
            raise ConfigError(f"hash grid box is {found}, wanted finite min < max on three axes")
        self.box_min.copy_(low)
        self.box_max.copy_(high)

    def forward(self, positions: Tensor) -> Tensor:  # [n, 3] -> [n, G]
        """Return hash features; positions outside the box give zeros and get no gradient."""
        return self.forward_prepared(self.prepare(positions))

    def prepare(self, positions: Tensor) -> HashLookup:  # [n, 3] float32
        """Return where `positions` look into the table; reusable until the box changes."""
        if positions.ndim != 2 or positions.shape[1] != 3:
            raise ValueError(f"positions are {list(positions.shape)}, wanted [n, 3]")
        places = positions.detach().to(self.table.device, torch.float32)
        if self._pool is None or self.table.device.type != "cpu":
            rows, weights = _locate(places, self.box_min, self.box_max, self._levels)
        else:
            rows, weights = self._locate_on_cpu(places.contiguous(), self._pool)
        return HashLookup(rows=rows, weights=weights, table_rows=self._entries)

    def forward_prepared(
        self,
        lookup: HashLookup,
        subset_indices: Tensor | None = None,  # [m] int64
    ) -> Tensor:  # [n, G] or [m, G]
        """Return hash features of the prepared positions, or of a subset of them.

        Raises:
            ValueError: the lookup was made for another grid.
            IndexError: a subset index is out of range.
        """
        self._check_lookup(lookup, subset_indices)
        if self._pool is None or self.table.device.type != "cpu":
            return _interpolate(_binarize(self.table), lookup, subset_indices, self._levels)
        picks = torch.arange(len(lookup)) if subset_indices is None else subset_indices.long()
        corners = np.array([_corners(level) for level in self._levels], np.int64)
        return _gather(self.table, lookup, picks.contiguous(), corners, self._pool)

    def signs(self) -> npt.NDArray[np.int8]:  # [E, features_per_level]
        """Return the table as it is coded, -1 or +1."""
        return _signs_of(self.table.detach()).cpu().numpy()

    def bits(self) -> Tensor:
        """Return the estimated size of the signs in bits, differentiable: H(p) count + 32.

        p is the share of +1 in the whole table. Source: facts §2.1.
        """
        share = (_binarize(self.table).mean() + 1) / 2
        p = share.clamp(MIN_PROBABILITY, 1 - MIN_PROBABILITY)
        entropy = -(p * torch.log2(p) + (1 - p) * torch.log2(1 - p))
        return entropy * self.table.numel() + HEADER_BITS

    def _check_lookup(self, lookup: HashLookup, subset_indices: Tensor | None) -> None:
        # the kernels do not check bounds
        columns = sum(_corners(level) for level in self._levels)
        if lookup.table_rows != self._entries or lookup.rows.shape[1] != columns:
            raise ValueError("the lookup was made for another hash grid, prepare it again")
        if subset_indices is None or not len(subset_indices):
            return
        low, high = (int(bound) for bound in torch.aminmax(subset_indices))
        if low < 0 or high >= len(lookup):
            raise IndexError(f"subset indices are {low}..{high}, wanted 0..{len(lookup) - 1}")

    def _locate_on_cpu(self, positions: Tensor, pool: KernelPool) -> tuple[Tensor, Tensor]:
        n, columns = positions.shape[0], sum(_corners(level) for level in self._levels)
        rows, weights = torch.empty(n, columns, dtype=torch.int32), torch.empty(n, columns)
        places, row_array, weight_array = positions.numpy(), rows.numpy(), weights.numpy()
        box = (self.box_min.numpy(), self.box_max.numpy(), _level_array(self._levels))
        pool.run(
            kernels.locate,
            [
                (places[a:b], *box, row_array[a:b], weight_array[a:b])
                for a, b in _position_ranges(n)
            ],
        )
        return rows, weights


def _corners(level: GridLevel) -> int:
    return 1 << len(level.axes)


def _level_array(levels: tuple[GridLevel, ...]) -> npt.NDArray[np.int64]:
    """Return the levels as the kernels want them, [L, LEVEL_COLUMNS]."""
    table = np.zeros((len(levels), kernels.LEVEL_COLUMNS), np.int64)
    for line, level in zip(table, levels, strict=True):
        line[0] = len(level.axes)
        line[1 : 1 + len(level.axes)] = level.axes
        line[4:] = level.resolution, level.entries, level.start
    return table


def _position_ranges(count: int) -> list[tuple[int, int]]:
    return even_ranges(count, -(-count // POSITIONS_PER_PIECE))


# ---- readable torch reference, and the path for accelerators ----


def _locate(
    positions: Tensor,  # [n, 3]
    box_min: Tensor,
    box_max: Tensor,
    levels: tuple[GridLevel, ...],
) -> tuple[Tensor, Tensor]:  # rows [n, C] int32, weights [n, C]
    unit = (positions - box_min) / (box_max - box_min)
    inside = ((unit >= 0) & (unit <= 1)).all(dim=1)
    unit = torch.where(inside[:, None], unit, 0.5)
    parts = [_locate_level(unit, inside, level) for level in levels]
    rows = torch.cat([part[0] for part in parts], dim=1)
    return rows, torch.cat([part[1] for part in parts], dim=1)


def _locate_level(
    unit: Tensor,  # [n, 3]
    inside: Tensor,  # [n] bool
    level: GridLevel,
) -> tuple[Tensor, Tensor]:
    """Return rows [n, corners] int32 of one level and weights, zeros for positions outside."""
    d, r = len(level.axes), level.resolution
    place = unit[:, list(level.axes)] * (r - 2) + 0.5
    cell = place.floor()
    bits = torch.arange(1 << d, device=unit.device)[:, None] >> torch.arange(d, device=unit.device)
    high = (bits & 1).bool()  # [corners, d]
    fraction = (place - cell)[:, None, :]
    weights = torch.where(high, fraction, 1 - fraction).prod(dim=2)
    vertex = cell.long()[:, None, :] + high.long()
    kept = ((vertex > 0) & (vertex < r - 1)).all(dim=2) & inside[:, None]
    weights = torch.where(kept, weights, 0.0)
    total = weights.sum(dim=1, keepdim=True)
    weights = torch.where(total > 0, weights / total, 0.0)
    if not level.dense:
        row = vertex[..., 0]
        for axis in range(1, d):
            row = row ^ ((vertex[..., axis] * PRIMES[axis]) & UINT32)
        row = row % level.entries
    else:
        row = sum(vertex[..., axis] * r**axis for axis in range(d))
    rows = level.start + torch.where(kept, row, 0)
    return rows.to(torch.int32), weights


def _interpolate(
    signs: Tensor,  # [E, f]
    lookup: HashLookup,
    picks: Tensor | None,
    levels: tuple[GridLevel, ...],
) -> Tensor:  # [n, G]
    rows = lookup.rows if picks is None else lookup.rows[picks]
    weights = lookup.weights if picks is None else lookup.weights[picks]
    features, column = [], 0
    for level in levels:
        end = column + _corners(level)
        corner_signs = nn.functional.embedding(rows[:, column:end], signs)
        features.append((corner_signs * weights[:, column:end, None]).sum(dim=1))
        column = end
    return torch.cat(features, dim=1)


# ---- autograd ----


class _SavedContext(Protocol):
    saved_tensors: tuple[Tensor, ...]
    corners: npt.NDArray[np.int64]
    pool: KernelPool

    def save_for_backward(self, *tensors: Tensor) -> None: ...


def _signs_of(table: Tensor) -> Tensor:
    """Return int8 signs, sign(0) = +1."""
    return (table >= 0).to(torch.int8) * 2 - 1


def _passes(table: Tensor) -> Tensor:
    """Return where the straight-through gradient passes."""
    return table.abs() <= 1


class _Binarize(torch.autograd.Function):
    """Sign with straight-through gradient where |w| <= 1."""

    @staticmethod
    def forward(ctx: FunctionCtx, table: Tensor) -> Tensor:
        ctx.save_for_backward(table)
        return _signs_of(table).to(table.dtype)

    @staticmethod
    def backward(ctx: _SavedContext, grad: Tensor) -> Tensor:
        (table,) = ctx.saved_tensors
        return torch.where(_passes(table), grad, 0.0)


class _Gather(torch.autograd.Function):
    """Binarize and interpolate in one step, by the numba kernels."""

    @staticmethod
    def forward(
        ctx: _SavedContext,
        table: Tensor,
        rows: Tensor,
        weights: Tensor,
        picks: Tensor,
        corners: npt.NDArray[np.int64],
        pool: KernelPool,
    ) -> Tensor:
        ctx.save_for_backward(table, rows, weights, picks)
        ctx.corners, ctx.pool = corners, pool
        features = torch.empty(len(picks), len(corners) * table.shape[1])
        signs, lookup = _signs_of(table).numpy(), (rows.numpy(), weights.numpy())
        chosen, out = picks.numpy(), features.numpy()
        spans = _position_ranges(len(picks))
        pool.run(
            kernels.gather, [(signs, *lookup, chosen[a:b], corners, out[a:b]) for a, b in spans]
        )
        return features

    @staticmethod
    def backward(ctx: _SavedContext, grad: Tensor) -> tuple[Tensor, None, None, None, None, None]:
        table, rows, weights, picks = ctx.saved_tensors
        grad_table = torch.zeros_like(table)
        columns = np.concatenate([[0], np.cumsum(ctx.corners)])
        shared = (grad.contiguous().numpy(), rows.numpy(), weights.numpy(), picks.numpy())
        groups = balanced_ranges(columns, ctx.pool.threads)
        pieces = [(*shared, ctx.corners, a, b, grad_table.numpy()) for a, b in groups]
        ctx.pool.run(kernels.scatter, pieces)
        return torch.where(_passes(table), grad_table, 0.0), None, None, None, None, None


def _binarize(table: Tensor) -> Tensor:
    result: Tensor = _Binarize.apply(table)  # type: ignore[no-untyped-call]
    return result


def _gather(
    table: Tensor,
    lookup: HashLookup,
    picks: Tensor,
    corners: npt.NDArray[np.int64],
    pool: KernelPool,
) -> Tensor:
    result: Tensor = _Gather.apply(  # type: ignore[no-untyped-call]
        table, lookup.rows, lookup.weights, picks, corners, pool
    )
    return result
