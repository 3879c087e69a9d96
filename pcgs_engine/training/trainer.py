"""Trainer: the state of one run and what one iteration does to it (facts §1-§3)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..config import RunConfig
from ..kernels.pool import KernelPool
from ..model.anchor_rows import SampleRows, present_rows, take_rows
from ..model.anchors import Anchors
from ..model.attribute_head import AttributeHead
from ..model.context_network import ContextNetwork
from ..model.derive import Derived, derive_gaussians
from ..model.hash_grid import HashGrid
from ..model.init_anchors import init_anchors
from ..model.masks import gaussian_mask, leave_levels
from ..model.trained_model import TrainedModel
from ..render.rasterizer import Rasterizer, RenderOutput
from ..scene.scene import Scene
from .growth import GrowthStatistics, adjust_anchors, drop_masked_anchors
from .image_loss import ImageLoss
from .optimizer import ModelOptimizer, network_groups
from .rate_loss import estimate_sample_rate, mask_level, step_divisor
from .schedule import Clock, learning_rates
from .view_sampler import TrainingView

__all__ = ["IterationResult", "Trainer"]

BOX_MARGIN = 0.2
"""The hash grid's box is the anchors' extent, wider by this part on each side (facts §2.1)."""
MIN_BOX_RATIO = 1e-3
"""Least extent of an axis, as a part of the largest: flat scenes need a box with a volume."""
ALPHA_WEIGHT = 0.1
"""Weight of |alpha - image alpha| where images have alpha: empty space must stay empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationResult:
    """What one iteration reports."""

    level: int
    loss: float
    psnr: float
    bits_per_anchor: float
    gaussians: int


class _Shared:
    """A value that several levels use; their backward passes leave the sum of gradients at `leaf`.

    So what computed it runs backward once, and each level's graph is gone before the next one's.
    """

    def __init__(self, value: Tensor) -> None:
        self.value = value
        self.leaf = value.detach().requires_grad_(value.requires_grad)


@dataclass(frozen=True, slots=True, kw_only=True)
class _InView:
    """What the levels of one iteration have in common."""

    level: int
    """The last of them."""
    rows: Tensor  # [n] anchors in view that it has, ascending; those of the others among them
    sample: Tensor  # [m] anchors of the rate term, ascending; none where it does not count
    steps: _Shared | None  # [n, 3] of feature, scaling, offsets at level 1; None without noise
    sample_grid: _Shared | None  # [m, G] hash features of the sample, where the rate counts

    def backward(self) -> None:
        """Hand on what the levels' backward passes left."""
        values, gradients = [], []
        for shared in (self.steps, self.sample_grid):
            if shared is not None and shared.leaf.grad is not None:
                values.append(shared.value)
                gradients.append(shared.leaf.grad)
        if values:
            torch.autograd.backward(values, gradients)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """One rendered training view before the backward pass."""

    rows: Tensor  # [n] anchors given to the head
    derived: Derived
    output: RenderOutput
    sampled: SampleRows


class Trainer:
    """Everything that changes during training; `iterate` is one optimizer step."""

    def __init__(
        self, scene: Scene, config: RunConfig, rasterizer: Rasterizer, threads: int
    ) -> None:
        device = rasterizer.device
        self.config, self.rasterizer, self.device = config, rasterizer, device
        self.background = torch.tensor(scene.background, dtype=torch.float32, device=device)
        self.camera_centres = np.stack([v.camera.centre for v in scene.train_views]).astype(
            np.float32
        )
        seed = config.training.seed
        torch.manual_seed(seed)  # network initialization
        self.generator = torch.Generator(device=device).manual_seed(seed)
        self.order_generator = torch.Generator().manual_seed(seed + 1)
        self._pool = pool = KernelPool(threads)
        self.anchors: Anchors = _on_device(init_anchors(scene, config), device)
        self.head = AttributeHead(config.model, distance_unit=scene.extent).to(device)
        self.hash_grid = HashGrid(
            config.model.hash_grid,
            *self._box(),
            pool=pool,
            generator=torch.Generator().manual_seed(seed),
        ).to(device)
        self.context = ContextNetwork(config.model, voxel_size=self.anchors.voxel_size).to(device)
        self.image_loss = ImageLoss(config.training.ssim_weight, pool)
        groups = network_groups(self.head, self.hash_grid, self.context)
        self.optimizer = ModelOptimizer(self.anchors, groups)
        harmonics = config.training.learning_rates.harmonics
        if harmonics < 1.0:
            rows = self.head.harmonic_rows()
            self.optimizer.slow_down(self.head.color_out.parameters(), rows, harmonics)
        self.statistics = self._empty_statistics()
        self.box_is_final = False
        self._lookup = self.hash_grid.prepare(self.anchors.positions)

    def _empty_statistics(self) -> GrowthStatistics:
        return GrowthStatistics.empty(len(self.anchors), self.config.model.num_offsets, self.device)

    def _box(self) -> tuple[Tensor, Tensor]:
        positions = self.anchors.positions
        low, high = positions.amin(dim=0), positions.amax(dim=0)
        extent = high - low
        # a flat scene still gets a box with a volume, of a width that float32 can add to `low`
        least = max(MIN_BOX_RATIO * float(extent.max()), self.anchors.voxel_size)
        margin = 0.5 * (extent.clamp_min(least) * (1.0 + 2.0 * BOX_MARGIN) - extent)
        return low - margin, high + margin

    def anchors_changed(self) -> None:
        """Recompute what depends on anchor positions; call after growth or loading."""
        self._lookup = self.hash_grid.prepare(self.anchors.positions)

    def iterate(self, view: TrainingView, clock: Clock) -> IterationResult:
        """Render `view` at one level or at all, update every parameter, grow or prune when due.

        What it reports of several levels is the last one's, but for the loss, which is their mean.
        """
        training, progress = self.config.training, clock.progress
        self.optimizer.set_rates(learning_rates(training, progress))
        with_rate = progress >= training.rate.start
        if with_rate and not self.box_is_final:
            self.hash_grid.set_box(*self._box())
            self.box_is_final = True
            self.anchors_changed()
        with_rate = with_rate and clock.iteration % training.rate.interval == 0
        levels = self._choose_levels(progress)
        in_view = self._find_in_view(view, levels, progress, self._sample(with_rate))
        results = [self._learn(view, level, progress, in_view) for level in levels]
        in_view.backward()
        self.optimizer.step()
        if progress >= training.averaging_start:
            self.optimizer.average(min(clock.step / training.averaging_span, 1.0))
        if clock.iteration % training.growth.interval == training.growth.interval - 1:
            self._adjust(progress)
        return replace(results[-1], loss=sum(result.loss for result in results) / len(results))

    def _choose_levels(self, progress: float) -> Sequence[int]:
        """Draw a level; late in the run take all: each pulls at what it shares with the others."""
        training = self.config.training
        # One number whatever the levels, drawn even where all are taken: the order of views is the
        # same then, and runs of one seed differ by what is compared, not by luck.
        number = torch.rand(1, dtype=torch.float64, generator=self.order_generator)
        levels = self.config.model.num_levels
        if progress >= training.all_levels_from:
            return range(1, levels + 1)
        ends = torch.tensor(training.rate.level_shares, dtype=torch.float64).cumsum(0)
        return [min(1 + int(torch.searchsorted(ends, number, right=True)), levels)]

    def _learn(
        self, view: TrainingView, level: int, progress: float, in_view: _InView
    ) -> IterationResult:
        """Add the gradients of one level."""
        growth = self.config.training.growth
        collecting = growth.statistics_start <= progress < growth.stop
        drawn = self._draw(view, level, progress, in_view, track=collecting)
        loss, bits = self._image_loss(drawn, view), 0.0
        if in_view.sample_grid is not None:
            rate, bits = self._rate(drawn.sampled, in_view.sample_grid.leaf, level)
            loss = loss + rate
        torch.autograd.backward(loss)
        if collecting:
            self._collect(drawn)
        return IterationResult(
            level=level,
            loss=float(loss.detach()),
            psnr=_psnr(drawn.output.image.detach(), view),
            bits_per_anchor=bits,
            gaussians=len(drawn.derived.slots),
        )

    def _sample(self, with_rate: bool) -> Tensor:
        """Draw the anchors of the rate term, ascending; none without it."""
        count = len(self.anchors)
        if not with_rate:
            return torch.zeros(0, dtype=torch.int64, device=self.device)
        size = max(int(self.config.training.rate.sample_fraction * count), min(count, 64))
        rows = torch.randperm(count, generator=self.generator, device=self.device)[:size]
        return rows.sort().values

    def _find_in_view(
        self, view: TrainingView, levels: Sequence[int], progress: float, sample: Tensor
    ) -> _InView:
        anchors, rate = self.anchors, self.config.training.rate
        used = mask_level(rate, max(levels), self.config.model.num_levels)
        with torch.no_grad():
            rows = self.rasterizer.anchors_in_view(
                view.view.camera, anchors.positions, anchors.scaling, anchors.offsets,
                gaussian_mask(anchors.mask_logits, used),
            )  # fmt: skip
        grid, sample_grid = None, None
        if progress >= rate.start:
            both = self.hash_grid.forward_prepared(self._lookup, torch.cat([rows, sample]))
            grid, own = both.split_with_sizes([len(rows), len(sample)])
            sample_grid = _Shared(own) if len(sample) else None
        return _InView(
            level=max(levels),
            rows=rows,
            sample=sample,
            steps=self._noise_steps(len(rows), grid, progress),
            sample_grid=sample_grid,
        )

    def _noise_steps(
        self, count: int, grid: Tensor | None, progress: float
    ) -> _Shared | None:  # [count, 3] of feature, scaling, offsets
        """Widths of level 1's quantization noise at this point (facts §2.4, §3.4)."""
        if progress < self.config.training.rate.noise_start:
            return None
        if grid is None:
            steps = self.context.base_steps(self.background)
        else:
            steps = self.context.steps(grid)
        widths = torch.cat([steps.feature, steps.scaling, steps.offset], dim=1)
        return _Shared(widths.expand(count, 3))

    def _draw(
        self, view: TrainingView, level: int, progress: float, in_view: _InView, *, track: bool
    ) -> _Drawn:
        anchors, rate = self.anchors, self.config.training.rate
        camera, rows = view.view.camera, in_view.rows
        used = mask_level(rate, level, self.config.model.num_levels)
        here = rows
        if level < in_view.level:
            here = present_rows(anchors, rows, used, self._pool)
        steps = None
        if in_view.steps is not None:
            steps = in_view.steps.leaf
            if len(here) < len(rows):  # both ascending
                steps = steps.index_select(0, torch.searchsorted(rows, here))
            divisor = step_divisor(rate, level)
            steps = steps / steps.new_tensor([divisor, divisor, 1.0])
        values, sampled = take_rows(
            anchors, here, in_view.sample, used, steps, self.generator, self._pool,
            rounded=progress >= rate.rounding_start,
        )  # fmt: skip
        centre = torch.as_tensor(camera.centre, dtype=torch.float32, device=self.device)
        derived = derive_gaussians(
            self.head,
            anchors.positions[here],
            values.feature,
            values.scaling,
            values.offsets,
            values.mask,
            centre,
            pool=self._pool,
        )
        output = self.rasterizer.render(
            derived.gaussians, camera, background=self.background, track_means2d=track
        )
        return _Drawn(rows=here, derived=derived, output=output, sampled=sampled)

    def _image_loss(self, drawn: _Drawn, view: TrainingView) -> Tensor:
        loss = self.image_loss(drawn.output.image, view.image, view.valid)
        if view.alpha is not None:
            loss = loss + ALPHA_WEIGHT * (drawn.output.alpha - view.alpha).abs().mean()
        scales = drawn.derived.gaussians.scales
        if len(scales):
            loss = loss + self.config.training.volume_weight * scales.prod(dim=1).mean()
        return loss

    def _rate(self, sampled: SampleRows, grid: Tensor, level: int) -> tuple[Tensor, float]:
        rate, model = self.config.training.rate, self.config.model
        estimate = estimate_sample_rate(
            sampled, self.context, grid, level, model, rate, self.generator
        )
        scalars = len(self.anchors) * (model.feature_dim + 6 + 3 * model.num_offsets)
        total = estimate.per_scalar + self.hash_grid.bits() / scalars
        return rate.interval * rate.weights[level - 1] * total, estimate.per_anchor

    def _collect(self, drawn: _Drawn) -> None:
        gradient = drawn.output.means2d.grad
        if gradient is not None:
            height, width = drawn.output.image.shape[:2]
            self.statistics.add(
                drawn.rows, drawn.derived, gradient, drawn.output.visible, (width, height)
            )

    def _adjust(self, progress: float) -> None:
        """Delete anchors that no level uses; inside the growth phase also grow and prune."""
        growth = self.config.training.growth
        state = (self.anchors, self.optimizer, self.statistics)
        changed = drop_masked_anchors(*state)
        pause = growth.pause_start <= progress < growth.pause_end
        if growth.start <= progress < growth.stop and not pause:
            first = self.config.training.rate.initial_mask_logits
            adjust_anchors(*state, growth, first, self.generator)
            changed = True
        if changed:
            self.anchors_changed()

    def prune(self, levels: Tensor) -> None:  # [N, K] int64
        """Take Gaussians out of their first `levels` levels for good, of all of them at most."""
        leaving = levels > 0
        logits = self.anchors.mask_logits
        with torch.no_grad():
            logits[leaving] = leave_levels(logits[leaving], levels[leaving])
        if drop_masked_anchors(self.anchors, self.optimizer, self.statistics):
            self.anchors_changed()

    def trained_model(self) -> TrainedModel:
        """Return the present state as a model (sharing tensors)."""
        return TrainedModel(
            config=self.config,
            anchors=self.anchors,
            head=self.head,
            hash_grid=self.hash_grid,
            context=self.context,
            camera_centres=self.camera_centres,
        )


def _on_device(anchors: Anchors, device: torch.device) -> Anchors:
    for name in ("lattice", "feature", "log_scaling", "offsets", "mask_logits"):
        setattr(anchors, name, getattr(anchors, name).to(device))
    return anchors


def _psnr(image: Tensor, view: TrainingView) -> float:
    error = (image.clamp(0, 1) - view.image).square()
    if view.valid is not None:
        error = error[view.valid]
    return float(-10.0 * torch.log10(error.mean().clamp_min(1e-10)))
