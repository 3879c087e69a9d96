"""Attribute MLPs: anchor features in, Gaussian opacity, covariance and colour parameters out.

Source: facts §1.2 (Scaffold-GS as used in PCGS); contract in docs/design.md "Heads".
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from ..config import Head, ModelConfig
from ..entropy.weights import Dense, HeadWeights

__all__ = ["AttributeHead", "HeadOutput", "dense_weights", "load_dense"]

SH_C0 = 0.28209479177387814
"""Constant of the degree-0 spherical harmonic, 1 / (2 sqrt(pi))."""
INITIAL_OPACITY = 0.3
"""Opacity of every Gaussian of an untrained head: all offsets start alive."""
COLOR_FEATURE_GAIN = 8.0
"""Initial features 0..2 hold (colour - 0.5) times this, several quantization steps wide."""

LAYERS = (
    "opacity_hidden",
    "opacity_out",
    "covariance_hidden",
    "covariance_out",
    "color_hidden",
    "color_out",
)
"""Layers by the names they have in `HeadWeights` too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadOutput:
    """Raw parameters of `n` anchors' K Gaussians."""

    opacity: Tensor  # [n, K] in (-1, 1); a Gaussian exists where > 0
    covariance: Tensor  # [n, K, 7] scale logits, quaternion w x y z
    color: Tensor  # [n, K, 3] RGB (neural) or [n, K, (degree + 1)², 3] SH (explicit)


class AttributeHead(nn.Module):
    """Three two-layer MLPs with one shared input; their first layers run as one product."""

    def __init__(self, config: ModelConfig, *, distance_unit: float) -> None:
        super().__init__()
        self.config = config
        self.distance_unit = distance_unit
        """World units by which distances are divided before entering the neural head."""
        inputs = config.feature_dim + (4 if config.head is Head.NEURAL else 0)
        hidden, offsets = config.head_hidden, config.num_offsets
        coefficients = 1 if config.head is Head.NEURAL else (config.sh_degree + 1) ** 2
        self.opacity_hidden = nn.Linear(inputs, hidden)
        self.covariance_hidden = nn.Linear(inputs, hidden)
        self.color_hidden = nn.Linear(inputs, hidden)
        self.opacity_out = nn.Linear(hidden, offsets)
        self.covariance_out = nn.Linear(hidden, 7 * offsets)
        self.color_out = nn.Linear(hidden, 3 * coefficients * offsets)
        self._start_alive_and_coloured()

    def forward(self, features: Tensor, directions: Tensor | None) -> HeadOutput:
        """Evaluate the MLPs.

        Args:
            features: `[n, F]`.
            directions: `[n, 3]` anchor minus camera centre in world units; unused (may be None)
                by the explicit head.
        """
        count, offsets = len(features), self.config.num_offsets
        inputs = features
        if self.config.head is Head.NEURAL:
            if directions is None:
                raise ValueError("the neural head needs view directions")
            distance = directions.norm(dim=1, keepdim=True).clamp_min(1e-9)
            inputs = torch.cat(
                [features, directions / distance, distance / self.distance_unit], dim=1
            )
        first = (self.opacity_hidden, self.covariance_hidden, self.color_hidden)
        weight = torch.cat([layer.weight for layer in first])
        bias = torch.cat([layer.bias for layer in first])
        opacity, covariance, color = torch.relu(linear(inputs, weight, bias)).chunk(3, dim=1)
        color = self.color_out(color)
        if self.config.head is Head.NEURAL:
            color = torch.sigmoid(color).view(count, offsets, 3)
        else:
            color = color.view(count, offsets, (self.config.sh_degree + 1) ** 2, 3)
        return HeadOutput(
            opacity=torch.tanh(self.opacity_out(opacity)),
            covariance=self.covariance_out(covariance).view(count, offsets, 7),
            color=color,
        )

    def harmonic_rows(self) -> Tensor:  # [rows of color_out] bool
        """Return which outputs of the colour MLP are harmonics above degree 0."""
        coefficients = self.color_out.out_features // (3 * self.config.num_offsets)
        kinds = torch.arange(coefficients).repeat_interleave(3).repeat(self.config.num_offsets)
        return kinds > 0

    def _start_alive_and_coloured(self) -> None:
        """Let features 0..2 pass through to the colour and let every Gaussian exist at first.

        Scaffold-GS starts from random weights and ignores the points' colours; a short run
        cannot afford to find both again.
        """
        hidden, offsets = self.config.head_hidden, self.config.num_offsets
        with torch.no_grad():
            self.opacity_out.weight.mul_(0.1)
            self.opacity_out.bias.fill_(float(np.arctanh(INITIAL_OPACITY)))
            self.covariance_out.bias.zero_()
            self.color_out.weight.mul_(0.1)
            self.color_out.bias.zero_()
            channels = min(3, self.config.feature_dim, hidden // 2)
            out = self.color_out.weight.view(offsets, -1, 3, hidden)
            slope = 4.0 if self.config.head is Head.NEURAL else 1.0 / SH_C0
            for c in range(channels):
                for sign, row in ((1.0, 2 * c), (-1.0, 2 * c + 1)):
                    self.color_hidden.weight[row].zero_()
                    self.color_hidden.bias[row] = 0.0
                    self.color_hidden.weight[row, c] = sign
                    out[:, :, :, row] = 0.0
                    out[:, 0, c, row] = sign * slope / COLOR_FEATURE_GAIN

    def weights(self) -> HeadWeights:
        """Return the weights as arrays; `levels/quantize_head.py` rounds them for the file."""
        return HeadWeights(
            **{name: dense_weights(getattr(self, name)) for name in LAYERS},
            distance_unit=float(np.float32(self.distance_unit)),
        )

    @classmethod
    def from_weights(cls, weights: HeadWeights, config: ModelConfig) -> "AttributeHead":
        """Build a head that computes what a file's weights say."""
        head = cls(config, distance_unit=weights.distance_unit)
        for name in LAYERS:
            load_dense(getattr(head, name), getattr(weights, name))
        return head


def dense_weights(layer: nn.Linear) -> Dense:
    """Return a layer's weights as arrays of their own."""
    weight, bias = (t.detach().cpu().numpy().copy() for t in (layer.weight, layer.bias))
    return Dense(weight=weight, bias=bias)


def load_dense(layer: nn.Linear, dense: Dense) -> None:
    """Copy stored weights into a layer."""
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(dense.weight)))
        layer.bias.copy_(torch.from_numpy(np.ascontiguousarray(dense.bias)))
