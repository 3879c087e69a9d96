"""Growing and pruning of anchors from screen-space gradients (facts §1.3)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..config import AnchorGrowthConfig
from ..model.anchors import Anchors
from ..model.derive import Derived
from ..model.init_anchors import MAX_LATTICE
from ..model.masks import GONE_LOGIT, gaussian_mask
from .optimizer import ModelOptimizer

__all__ = ["GrowthStatistics", "adjust_anchors", "drop_masked_anchors"]

MAX_SCALE_AFTER_PRUNE = 0.05
"""Upper limit of the log-scaling of Gaussian sizes after pruning. Source: facts §1.3."""
STATISTIC_FIELDS = ("gradient", "offset_seen", "opacity", "anchor_seen")


@dataclass(slots=True, kw_only=True)
class GrowthStatistics:
    """Sums since an anchor was last judged."""

    gradient: Tensor  # [N, K] sum of NDC gradient norms
    offset_seen: Tensor  # [N, K] iterations in which the Gaussian was rendered
    opacity: Tensor  # [N] sum over K of positive opacities
    anchor_seen: Tensor  # [N] iterations in which the anchor was visible

    @classmethod
    def empty(cls, anchors: int, offsets: int, device: torch.device) -> "GrowthStatistics":
        """Return zero sums."""
        pair = torch.zeros(anchors, offsets, device=device)
        return cls(
            gradient=pair,
            offset_seen=pair.clone(),
            opacity=pair[:, 0].clone(),
            anchor_seen=pair[:, 0].clone(),
        )

    def add(
        self,
        rows: Tensor,  # [n] anchors given to the head
        derived: Derived,
        means2d_grad: Tensor,  # [M, 2] pixels
        rendered: Tensor,  # [M] bool
        size: tuple[int, int],
    ) -> None:
        """Count one iteration at an image of `size` = width, height."""
        width, height = size
        ndc = means2d_grad.new_tensor([0.5 * width, 0.5 * height])  # facts §1.3: gradient units
        norms = (means2d_grad * ndc).norm(dim=1)[rendered]
        count = self.gradient.shape[1]
        slots = derived.slots[rendered]
        anchor = rows[torch.div(slots, count, rounding_mode="floor")]
        flat = anchor * count + slots % count
        self.gradient.view(-1).index_add_(0, flat, norms)
        self.offset_seen.view(-1).index_add_(0, flat, torch.ones_like(norms))
        self.opacity.index_add_(0, rows, derived.opacity.detach().clamp_min(0.0).sum(dim=1))
        self.anchor_seen.index_add_(0, rows, torch.ones_like(rows, dtype=torch.float32))

    def keep_rows(self, keep: Tensor) -> None:
        """Drop rows where `keep` is False."""
        for name in STATISTIC_FIELDS:
            setattr(self, name, getattr(self, name)[keep])

    def append_rows(self, count: int) -> None:
        """Add zero rows."""
        for name in STATISTIC_FIELDS:
            values: Tensor = getattr(self, name)
            zeros = values.new_zeros((count, *values.shape[1:]))
            setattr(self, name, torch.cat([values, zeros]))


def adjust_anchors(
    anchors: Anchors,
    optimizer: ModelOptimizer,
    statistics: GrowthStatistics,
    config: AnchorGrowthConfig,
    mask_logits: Sequence[float],  # of a new Gaussian, one per level
    generator: torch.Generator,
) -> None:
    """Grow anchors where Gaussians pull hard, then drop anchors that stay transparent."""
    offset_limit = config.interval * config.success_fraction * 0.5
    judged = statistics.offset_seen > offset_limit
    mean = torch.where(judged, statistics.gradient / statistics.offset_seen.clamp_min(1), 0.0)
    old_count = len(anchors)
    for depth in range(config.depth):
        _grow_at(anchors, optimizer, mean, judged, config, depth, mask_logits, generator)
    statistics.gradient[judged] = 0.0
    statistics.offset_seen[judged] = 0.0
    statistics.append_rows(len(anchors) - old_count)
    _prune(anchors, optimizer, statistics, config)


def drop_masked_anchors(
    anchors: Anchors, optimizer: ModelOptimizer, statistics: GrowthStatistics
) -> bool:
    """Delete anchors that no level uses; returns whether there were any.

    Nothing renders them, so no image gradient can bring them back: deleting changes no picture
    and frees their cells for growth (the published code keeps them).
    """
    keep = gaussian_mask(anchors.mask_logits, anchors.mask_logits.shape[2]).any(dim=1)
    if bool(keep.all()) or not bool(keep.any()):
        return False
    optimizer.keep_rows(keep)
    statistics.keep_rows(keep)
    return True


def _grow_at(
    anchors: Anchors,
    optimizer: ModelOptimizer,
    mean: Tensor,  # [N_old, K] mean gradient norm
    judged: Tensor,  # [N_old, K]
    config: AnchorGrowthConfig,
    depth: int,
    mask_logits: Sequence[float],  # of a new Gaussian, one per level
    generator: torch.Generator,
) -> None:
    cell = config.init_factor // 4**depth
    room = config.max_anchors - len(anchors)
    if cell < 1 or room <= 0:
        return
    candidate = judged & (mean >= config.gradient_threshold * 2**depth)
    draw = torch.rand(mean.shape, generator=generator, device=mean.device)
    candidate &= draw > 0.5 ** (depth + 1)
    rows, offsets = candidate.nonzero(as_tuple=True)
    if not len(rows):
        return
    pulls = mean[rows, offsets]
    centres = anchors.positions[rows] + (
        anchors.offsets.detach()[rows, offsets] * anchors.scaling.detach()[rows, :3]
    )
    coarse = torch.round(centres / (anchors.voxel_size * cell))
    inside = (coarse.abs() * cell < MAX_LATTICE).all(dim=1)
    rows, pulls, coarse = rows[inside], pulls[inside], coarse[inside].to(torch.int64)
    cells, group = _new_cells(coarse, anchors.lattice, cell)
    if not len(cells):
        return
    member = group >= 0
    rows, pulls, group = rows[member], pulls[member], group[member]
    if len(cells) > room:  # an exact budget: the strongest pulls win
        strength = pulls.new_zeros(len(cells)).scatter_reduce_(0, group, pulls, "amax")
        chosen = torch.sort(torch.topk(strength, room).indices).values
        renumber = group.new_full((len(cells),), -1)
        renumber[chosen] = torch.arange(room, device=group.device)
        cells, group = cells[chosen], renumber[group]
        rows, group = rows[group >= 0], group[group >= 0]
    shape = (len(cells), mean.shape[1])
    cube = torch.rand((*shape, 3), generator=generator, device=mean.device) - 0.5
    logits = _first_logits(shape, config.new_gaussians, mask_logits, generator)
    _append(anchors, optimizer, cells * cell, rows, group, cell, config.spread * cube, logits)


def _first_logits(
    shape: tuple[int, int],  # n, K
    chosen: int,
    mask_logits: Sequence[float],
    generator: torch.Generator,
) -> Tensor:  # [n, K, S]
    """Return logits of new anchors, of which `chosen` Gaussians are there; all for 0."""
    first = torch.tensor(mask_logits, device=generator.device)
    if not chosen:
        return first.repeat(*shape, 1)
    draw = torch.rand(shape, generator=generator, device=generator.device)
    there = draw.argsort(dim=1).argsort(dim=1) < chosen
    return torch.where(there[..., None], first, torch.full_like(first, GONE_LOGIT))


def _new_cells(coarse: Tensor, lattice: Tensor, cell: int) -> tuple[Tensor, Tensor]:
    """Return the unoccupied unique cells `[n, 3]` and each candidate's cell number or -1."""
    occupied = torch.round(lattice.to(torch.float64) / cell).to(torch.int64)
    keys, group = torch.unique(_pack(coarse), return_inverse=True)
    free = ~torch.isin(keys, _pack(occupied))
    number = torch.where(free, torch.cumsum(free, 0) - 1, -1)
    kept = number[group]
    cells = coarse.new_zeros((int(free.sum()), 3))
    cells[kept[kept >= 0]] = coarse[kept >= 0]
    return cells, kept


def _pack(cells: Tensor) -> Tensor:
    """One int64 key per cell; coordinates are within ± 2**20."""
    shifted = cells.to(torch.int64) + MAX_LATTICE
    return (shifted[:, 0] << 42) | (shifted[:, 1] << 21) | shifted[:, 2]


def _append(
    anchors: Anchors,
    optimizer: ModelOptimizer,
    lattice: Tensor,  # [n, 3]
    parents: Tensor,  # [c] anchors of the candidates
    group: Tensor,  # [c] new anchor of each candidate
    cell: int,
    offsets: Tensor,  # [n, K, 3]
    mask_logits: Tensor,  # [n, K, S]
) -> None:
    count, device = len(lattice), lattice.device
    feature = anchors.feature.detach()
    # Mean of the parents: the published maximum would shift colours, which here are features.
    share = torch.bincount(group, minlength=count).to(feature.dtype)[:, None]
    total = feature.new_zeros((count, feature.shape[1])).index_add_(0, group, feature[parents])
    size = torch.tensor(anchors.voxel_size * cell, device=device).log()
    optimizer.append_rows(
        lattice.to(torch.int32),
        {
            "feature": total / share,
            "log_scaling": size.expand(count, 6).clone(),
            "offsets": offsets,
            "mask_logits": mask_logits,
        },
    )


def _prune(
    anchors: Anchors,
    optimizer: ModelOptimizer,
    statistics: GrowthStatistics,
    config: AnchorGrowthConfig,
) -> None:
    judged = statistics.anchor_seen > config.interval * config.success_fraction
    faint = statistics.opacity < config.min_opacity * statistics.anchor_seen
    drop = judged & faint
    statistics.opacity[judged] = 0.0
    statistics.anchor_seen[judged] = 0.0
    if not bool(drop.any()) or bool(drop.all()):
        return
    optimizer.keep_rows(~drop)
    statistics.keep_rows(~drop)
    with torch.no_grad():
        anchors.log_scaling[:, 3:].clamp_(max=MAX_SCALE_AFTER_PRUNE)
