"""The trainable context model: hash features in, steps and distribution parameters out.

The decoder's integer twin is `entropy/context_model.py`, made by `levels/calibrate.py`.
Source: facts §2.2 (HAC++), §3.2 and §3.5 (PCGS).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from ..config import ModelConfig
from ..entropy.context_model import LENGTH_UNIT_VOXELS, STEP_FLOOR
from .attribute_head import dense_weights
from .context_weights import ContextWeights
from .distributions import gaussian_bits, mixture_bits, trinomial_bits

__all__ = ["ContextNetwork", "Steps"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Quantization steps of `n` anchors at level 1."""

    feature: Tensor  # [n, 1]
    scaling: Tensor  # [n, 1] world units
    offset: Tensor  # [n, 1]


class _Modulated(nn.Module):
    """Two layers whose hidden units are scaled per level: relu((W1 x + b1) gain_s).

    The paper derives 1 + m_s from the rate weight through two learned scalars (facts §3.2), whose
    exponential can start in the thousands; one learned gain per hidden unit and level, starting
    at 1, says the same with a safe start and needs no rate weight in the file.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, levels: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(inputs, hidden)
        self.gain = nn.Parameter(torch.ones(levels, hidden))
        self.out = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor, level: int) -> Tensor:
        result: Tensor = self.out(torch.relu(self.hidden(x) * self.gain[level - 1]))
        return result


class _Channels(nn.Module):
    """Channel autoregression: later feature chunks see the earlier ones (facts §2.2)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        chunk, hidden = config.chunk_dim, config.context.channel_hidden
        parameters = 3 * config.feature_dim
        chunks = range(config.context.feature_chunks)
        self.hidden = nn.ModuleList([nn.Linear(i * chunk + parameters, hidden) for i in chunks])
        self.out = nn.ModuleList([nn.Linear(hidden, 3 * chunk) for _ in chunks])
        self.chunk = chunk

    def forward(self, features: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean, scale and logit, each `[n, F]`; row i of a chunk sees chunks before it."""
        outputs = []
        for i, (hidden, out) in enumerate(zip(self.hidden, self.out, strict=True)):
            known = torch.cat([features[:, : i * self.chunk], parameters], dim=1)
            outputs.append(out(leaky_relu(hidden(known))).view(-1, 3, self.chunk))
        mean, scale, logit = torch.cat(outputs, dim=2).unbind(dim=1)
        return mean, scale, logit


class ContextNetwork(nn.Module):
    """All context networks of one model; called with hash features of a set of anchors."""

    def __init__(self, config: ModelConfig, *, voxel_size: float) -> None:
        super().__init__()
        self.config = config
        self.voxel_size = voxel_size
        widths, grid = config.context, config.hash_grid.output_dim
        feature, offsets, levels = config.feature_dim, config.num_offsets, config.num_levels
        self.first = _Modulated(grid, widths.hash_hidden, 3 * feature + 12, levels)
        self.step_hidden = nn.Linear(grid, widths.step_hidden)
        self.step_out = nn.Linear(widths.step_hidden, 3)
        self.offset_hidden = nn.Linear(grid, widths.offset_hidden)
        self.offset_out = nn.Linear(widths.offset_hidden, 6 * offsets)
        self.channels = _Channels(config)
        self.feature_trits = _Modulated(
            grid + feature, widths.feature_trit_hidden, 3 * feature, levels
        )
        self.scaling_trits = _Modulated(grid + 6, widths.scaling_trit_hidden, 18, levels)
        self._start_at_typical_scales()

    def _start_at_typical_scales(self) -> None:
        """Let first predictions be wide Gaussians: a short run must not start at the floor."""
        feature, offsets = self.config.feature_dim, self.config.num_offsets
        with torch.no_grad():
            self.step_out.weight.mul_(0.1)
            self.step_out.bias.zero_()
            bias = self.first.out.bias
            bias[feature : 2 * feature] = 2.0 * self.config.feature_step
            bias[3 * feature :] = 1.0
            self.offset_out.bias[3 * offsets :] = 1.0
            for out in self.channels.out:
                chunk = self.channels.chunk
                out.bias[chunk : 2 * chunk] = 2.0 * self.config.feature_step  # type: ignore[operator]

    @property
    def length_unit(self) -> float:
        """World length in which the networks predict and see scalings."""
        return LENGTH_UNIT_VOXELS * self.voxel_size

    @property
    def scaling_unit(self) -> float:
        """Base step of the linear scaling in world units."""
        return self.config.scaling_step * self.voxel_size

    def steps(self, grid: Tensor) -> Steps:
        """Return the learned steps of anchors with hash features `grid` `[n, G]`."""
        adjust = torch.tanh(self.step_out(leaky_relu(self.step_hidden(grid))))
        factor = (1.0 + adjust).clamp_min(STEP_FLOOR)
        return Steps(
            feature=factor[:, 0:1] * self.config.feature_step,
            scaling=factor[:, 1:2] * self.scaling_unit,
            offset=factor[:, 2:3] * self.config.offset_step,
        )

    def base_steps(self, like: Tensor) -> Steps:
        """Return the unlearned steps, `[1, 1]` each, on the device of `like`."""
        return Steps(
            feature=like.new_full((1, 1), self.config.feature_step),
            scaling=like.new_full((1, 1), self.scaling_unit),
            offset=like.new_full((1, 1), self.config.offset_step),
        )

    def first_bits(
        self,
        grid: Tensor,  # [n, G]
        features: Tensor,  # [n, F] values of width feature_step intervals
        scaling: Tensor,  # [n, 6]
        feature_step: Tensor,  # [n, 1] at this level
        scaling_step: Tensor,  # [n, 1] at this level
        level: int,
        known: Tensor | None = None,  # [n, F]
    ) -> Tensor:  # [n]
        """Bits of first-decoded features and scaling of each anchor.

        Later feature chunks are predicted from the earlier ones of `known`; None: of `features`.
        """
        count = self.config.feature_dim
        output = self.first(grid, level)
        mean, scale, logit = output[:, : 3 * count].split(count, dim=1)
        known = features if known is None else known
        own_mean, own_scale, own_logit = self.channels(known, output[:, : 3 * count])
        bits = mixture_bits(
            features, (mean, own_mean), (scale, own_scale), (logit, own_logit), feature_step
        )
        scaling_mean, scaling_scale = (output[:, 3 * count :] * self.length_unit).split(6, dim=1)
        scaling_cost = gaussian_bits(scaling, scaling_mean, scaling_scale, scaling_step)
        return bits.sum(dim=1) + scaling_cost.sum(dim=1)

    def offset_bits(self, grid: Tensor, offsets: Tensor, step: Tensor) -> Tensor:
        """Bits of each Gaussian's offset, `[n, K]`; `offsets` `[n, K, 3]`, `step` `[n, 1]`."""
        count = self.config.num_offsets
        output = self.offset_out(leaky_relu(self.offset_hidden(grid)))
        mean, scale = output.view(-1, 2, count, 3).unbind(dim=1)
        return gaussian_bits(offsets, mean, scale, step[:, None]).sum(dim=2)

    def trit_bits(
        self,
        grid: Tensor,  # [n, G]
        features: Tensor,  # [n, F] unquantized
        scaling: Tensor,  # [n, 6] unquantized
        feature_step: Tensor,  # [n, 1] at this level
        scaling_step: Tensor,  # [n, 1] at this level
        level: int,
    ) -> Tensor:  # [n]
        """Bits of refining anchors from the level before; hard rounding (facts §3.5)."""
        coarse, trits = _split_trits(features, feature_step)
        logits = self.feature_trits(torch.cat([grid, coarse], dim=1), level)
        bits = trinomial_bits(logits.view(*trits.shape, 3), trits).sum(dim=1)
        coarse, trits = _split_trits(scaling, scaling_step)
        inputs = torch.cat([grid, coarse / self.length_unit], dim=1)
        logits = self.scaling_trits(inputs, level)
        return bits + trinomial_bits(logits.view(*trits.shape, 3), trits).sum(dim=1)

    def gaussian_refinement_bits(
        self,
        grid: Tensor,  # [n, G]
        features: Tensor,  # [n, F] unquantized
        scaling: Tensor,  # [n, 6] unquantized
        feature_step: Tensor,  # [n, 1] at this level
        scaling_step: Tensor,  # [n, 1] at this level
        level: int,
    ) -> Tensor:  # [n]
        """Bits of the same refinement under the first-decode laws (the paper's ablation).

        The laws are cut to the coarse interval: mass of the third over mass of the interval, both
        under the law that the coarse values give.
        """
        values = [_fine_and_coarse(v, s) for v, s in ((features, feature_step),
                                                      (scaling, scaling_step))]  # fmt: skip
        known = values[0][1]
        fine = self.first_bits(
            grid, values[0][0], values[1][0], feature_step, scaling_step, level, known
        )
        coarse = self.first_bits(
            grid, known, values[1][1], 3.0 * feature_step, 3.0 * scaling_step, level, known
        )
        return (fine - coarse).clamp_min(0.0)

    def weights(self) -> ContextWeights:
        """Return all weights as arrays."""
        return ContextWeights(
            hash_hidden=dense_weights(self.first.hidden),
            hash_gain=_array(self.first.gain),
            hash_out=dense_weights(self.first.out),
            step_hidden=dense_weights(self.step_hidden),
            step_out=dense_weights(self.step_out),
            offset_hidden=dense_weights(self.offset_hidden),
            offset_out=dense_weights(self.offset_out),
            channel_hidden=tuple(dense_weights(x) for x in self.channels.hidden),  # type: ignore[arg-type]
            channel_out=tuple(dense_weights(x) for x in self.channels.out),  # type: ignore[arg-type]
            feature_trit_hidden=dense_weights(self.feature_trits.hidden),
            feature_trit_gain=_array(self.feature_trits.gain),
            feature_trit_out=dense_weights(self.feature_trits.out),
            scaling_trit_hidden=dense_weights(self.scaling_trits.hidden),
            scaling_trit_gain=_array(self.scaling_trits.gain),
            scaling_trit_out=dense_weights(self.scaling_trits.out),
        )


def _split_trits(values: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
    """Return the value rounded to 3 step (gradient passes to value and step) and the trit."""
    wide = 3.0 * step
    index = (values / wide).detach().round()
    coarse = index * wide + (values - values.detach())
    fine = (values / step).detach().round()
    trits = (fine - 3.0 * index + 1.0).clamp(0, 2).to(torch.int64)
    return coarse, trits


def _fine_and_coarse(values: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
    """Round to the coarse interval and to the third of it that the trit names."""
    coarse, trits = _split_trits(values, step)
    return coarse + (trits - 1) * step, coarse


def _array(tensor: Tensor) -> npt.NDArray[np.float32]:
    return tensor.detach().cpu().numpy().copy()
