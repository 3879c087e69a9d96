"""A mask network fitted at encode time: level-1 masks and integers in, int8 weights out.

Small scenes pay more for weights than they save, so several sizes are tried and the one with the
fewest bytes in all is kept; None means that static probabilities are cheaper. The arithmetic is
that of `entropy/mask_law.py`; its units are here as reciprocal steps of the weights.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from ..entropy.ideal_bits import ideal_bits
from ..entropy.mask_law import (
    MaskAnchors,
    MaskCoder,
    MaskLaw,
    MaskNet,
    NetMaskLaw,
    StaticMaskLaw,
    fit_static_law,
)
from ..entropy.small_weights import small_weight_bytes
from ..entropy.tables import Tables

__all__ = ["fit_mask_net"]

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]

INPUT_UNIT = 32.0
"""Integer inputs, hidden units and logits in 1/32."""
HIDDEN_TOP = 255 / 32.0
UNITS = {
    "base": 16.0, "bias": 8.0, "input_weight": 8.0, "bit_weight": 8.0, "count_weight": 8.0,
    "out_weight": 16.0,
}  # fmt: skip
"""Stored integer per unit of each float weight."""
BATCH = 1024
LEARNING_RATE = 1e-2
ROUNDED_SHARE = 0.4
"""Share of the steps, at the end, that see rounded weights."""
SPARSITY = 6.0
"""Weight of the absolute weights against the bits of all anchors: small integers cost less."""
MANY_ANCHORS = 25_000
STEPS = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class _Size:
    width: int
    inputs: int
    per_bit: bool


def fit_mask_net(
    masks: BoolArray,  # [N, K] of new anchors
    inputs: FloatArray,  # [N, 9 + F] (`entropy.mask_law.mask_inputs`)
    tables: Tables,
    *,
    seed: int = 0,
) -> MaskNet | None:
    """Return the network that makes level 1's masks smallest, or None.

    Takes some 10 s of one core whatever the number of anchors.
    """
    anchors = MaskAnchors(unset=np.ones(masks.shape, dtype=np.bool_), old=0, inputs=inputs)
    best, fewest = None, _bytes(anchors, StaticMaskLaw(fit_static_law(anchors, masks)), masks)
    wide = 24 if len(masks) >= MANY_ANCHORS else 8
    for size in (
        _Size(width=4, inputs=9, per_bit=False),
        _Size(width=wide, inputs=inputs.shape[1], per_bit=True),
    ):
        net = _fitted(masks, inputs, size, seed)
        total = _bytes(anchors, NetMaskLaw(net, tables), masks) + _stored_bytes(net, tables)
        if total < fewest:
            best, fewest = net, total
    return best


def _fitted(masks: BoolArray, inputs: FloatArray, size: _Size, seed: int) -> MaskNet:
    generator = torch.Generator().manual_seed(seed)
    weights = _start(masks.shape[1], size, generator)
    # float64: float32 products depend on where an array lies in memory, and a file should not.
    x = torch.from_numpy(inputs[:, : size.inputs].astype(np.float64) / INPUT_UNIT)
    bits = torch.from_numpy(masks.astype(np.float64))
    before = torch.cumsum(bits, dim=1) - bits
    counts = before.clamp(max=3).long()
    coded = torch.ones_like(bits)
    coded[:, -1] = (before[:, -1] > 0).double()
    optimizer = torch.optim.Adam(weights.values(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 2 * LEARNING_RATE, total_steps=STEPS, pct_start=0.2
    )
    for step in range(STEPS):
        rows = torch.randint(0, len(bits), (BATCH,), generator=generator)
        used = weights
        if step >= (1 - ROUNDED_SHARE) * STEPS:
            used = {name: _rounded(value, UNITS[name]) for name, value in weights.items()}
        logits = _logits(used, x[rows], counts[rows])
        nats = binary_cross_entropy_with_logits(
            logits, bits[rows], weight=coded[rows], reduction="sum"
        )
        size_cost = sum(weights[n].abs().sum() for n in weights if n not in ("base", "bias"))
        optimizer.zero_grad()
        loss = nats / BATCH + SPARSITY / len(bits) * size_cost
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    arrays = {
        name: (value.detach() * UNITS[name]).round().clamp(-127, 127).to(torch.int8).numpy()
        for name, value in weights.items()
    }
    return MaskNet(**arrays)


def _start(bits: int, size: _Size, generator: torch.Generator) -> dict[str, Tensor]:
    width = size.width
    first = torch.randn(width, size.inputs, generator=generator, dtype=torch.float64)
    weights = {
        "base": torch.full((bits, 4), -0.8),
        "bias": torch.full((width,), 0.2),
        "input_weight": first * 0.5 / size.inputs**0.5,
        "bit_weight": torch.zeros(bits, width),
        "count_weight": torch.zeros(4, width),
        "out_weight": torch.zeros(bits if size.per_bit else 1, width),
    }
    return {name: value.double().requires_grad_() for name, value in weights.items()}


def _logits(weights: dict[str, Tensor], x: Tensor, counts: Tensor) -> Tensor:
    """Return `[n, K]` logits of a set bit."""
    bits = torch.arange(counts.shape[1])
    hidden = (x @ weights["input_weight"].T + weights["bias"])[:, None]
    hidden = hidden + weights["bit_weight"] + weights["count_weight"][counts]
    hidden = torch.relu(hidden).clamp(max=HIDDEN_TOP)
    logits: Tensor = weights["base"][bits, counts] + (hidden * weights["out_weight"]).sum(dim=-1)
    return logits


def _rounded(value: Tensor, unit: float) -> Tensor:
    """Round with the gradient passed through."""
    stored = (value.detach() * unit).round().clamp(-127, 127) / unit
    return value + (stored - value.detach())


def _bytes(anchors: MaskAnchors, law: MaskLaw, masks: BoolArray) -> float:
    """Return the ideal length of the masks under a law."""
    coder, bits = MaskCoder(anchors, law), 0.0
    for k in range(masks.shape[1]):
        rows = np.flatnonzero(coder.coded(k))
        symbols = masks[rows, k].astype(np.int32)
        bits += ideal_bits(coder.distribution(k), symbols)
        coder.take(k, symbols)
    return bits / 8


def _stored_bytes(net: MaskNet, tables: Tables) -> float:
    parts = (
        net.base, net.bias, net.input_weight, net.bit_weight, net.count_weight, net.out_weight,
    )  # fmt: skip
    return small_weight_bytes(parts, tables)
