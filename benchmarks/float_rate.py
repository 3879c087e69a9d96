"""Ideal bits of the trained float model: the yardstick of the integer model in a file.

Same symbols, same steps, same order as in the file; networks in float64, laws of
`model/distributions.py`.
"""

import copy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pcgs_engine.codec.anchor_canvas import AnchorCanvas
from pcgs_engine.entropy.level_distributions import level_step
from pcgs_engine.entropy.refinement_laws import Block
from pcgs_engine.model.distributions import gaussian_bits, mixture_bits, trinomial_bits
from pcgs_engine.model.trained_model import TrainedModel

__all__ = ["FloatRate"]

BATCH = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Some anchors as the float networks see them."""

    grid: Tensor  # [n, G]
    canvas: AnchorCanvas
    at: npt.NDArray[np.int64]


class FloatRate:
    """Counts bits of what a canvas holds."""

    def __init__(self, model: TrainedModel) -> None:
        self._grid = model.hash_grid
        self._network = copy.deepcopy(model.context).double()
        self._voxel_size = model.anchors.voxel_size

    @torch.no_grad()
    def first_decodes(self, canvas: AnchorCanvas) -> dict[str, float]:
        """Return the bits of features, scaling and offsets that a level's core adds.

        Args:
            canvas: after the core, before any refinement.
        """
        old = canvas.counts[-2] if canvas.level > 1 else 0
        new = np.arange(old, canvas.counts[-1])
        bits = {"features": 0.0, "scaling": 0.0, "offsets": 0.0}
        for rows in self._batches(canvas, new):
            features, scaling = self._attributes(rows)
            bits["features"] += float(features.sum())
            bits["scaling"] += float(scaling.sum())
        fresh = canvas.mask_level == canvas.level
        for rows in self._batches(canvas, np.flatnonzero(fresh.any(axis=1))):
            symbols = torch.from_numpy(canvas.offsets[rows.at]).double()
            step = _column(canvas.context.steps.offset[rows.at])
            found = self._network.offset_bits(rows.grid, symbols * step[:, :, None], step)
            bits["offsets"] += float(found[torch.from_numpy(fresh[rows.at])].sum())
        return bits

    @torch.no_grad()
    def refinements(self, before: AnchorCanvas, after: AnchorCanvas, blocks: list[Block]) -> float:
        """Return the bits of blocks.

        Args:
            before: after the core of the level, before any refinement.
            after: with the blocks refined.
            blocks: refined once each.
        """
        F = before.features.shape[1]
        coarse = np.concatenate(
            [np.broadcast_to(v, s.shape) for v, s in (
                (before.feature_values(), before.features),
                (before.scaling_values(), before.scaling))], axis=1,
        )  # fmt: skip
        trits = np.concatenate(
            [after.features - 3 * before.features, after.scaling - 3 * before.scaling], axis=1
        )
        depths, total = before.depths[-2], 0.0
        channels: dict[tuple[int, int, bool], list[int]] = {}
        for block in blocks:
            scaling = block.channel >= F
            key = (block.group, int(depths[block.group, block.channel]), scaling)
            channels.setdefault(key, []).append(block.channel)
        for (group, depth, scaling), own in channels.items():
            columns = np.arange(F, F + 6) if scaling else np.arange(F)
            members = np.flatnonzero(before.groups[: before.counts[-2]] == group)
            for rows in self._batches(before, members):
                known = torch.from_numpy(coarse[rows.at][:, columns]).double()
                logits = self._trit_logits(rows.grid, known, depth, scaling)
                picked = torch.from_numpy(trits[rows.at][:, own].astype(np.int64)) + 1
                total += float(trinomial_bits(logits[:, np.array(own) - columns[0]], picked).sum())
        return total

    def _attributes(self, rows: _Rows) -> tuple[Tensor, Tensor]:
        network, canvas = self._network, rows.canvas
        F = network.config.feature_dim
        steps, depth = canvas.context.steps, canvas.level - 1
        step = _column(level_step(steps.feature[rows.at], depth))
        features = torch.from_numpy(canvas.features[rows.at]).double() * step
        output = network.first(rows.grid, canvas.level)
        mean, scale, logit = output[:, : 3 * F].split(F, dim=1)
        own_mean, own_scale, own_logit = network.channels(features, output[:, : 3 * F])
        laws = (mean, own_mean), (scale, own_scale), (logit, own_logit)
        step_of_scaling = _column(level_step(steps.scaling[rows.at], depth))
        scaling = torch.from_numpy(canvas.scaling[rows.at]).double() * step_of_scaling
        centre, width = (output[:, 3 * F :] * network.length_unit).split(6, dim=1)
        return (
            mixture_bits(features, *laws, step),
            gaussian_bits(scaling, centre, width, step_of_scaling),
        )

    def _trit_logits(self, grid: Tensor, known: Tensor, depth: int, scaling: bool) -> Tensor:
        network = self._network
        net = network.scaling_trits if scaling else network.feature_trits
        inputs = known / network.length_unit if scaling else known
        logits: Tensor = net(torch.cat([grid, inputs], dim=1), depth + 2)
        return logits.view(len(grid), -1, 3)

    def _batches(self, canvas: AnchorCanvas, rows: npt.NDArray[np.int64]) -> list[_Rows]:
        found = []
        for begin in range(0, len(rows), BATCH):
            at = rows[begin : begin + BATCH]
            places = (canvas.positions[at] * self._voxel_size).astype(np.float32)
            grid = self._grid(torch.from_numpy(places)).double()
            found.append(_Rows(grid=grid, canvas=canvas, at=at))
        return found


def _column(values: npt.NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(values).double()[:, None]
