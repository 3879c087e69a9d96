"""Attribute MLPs to int8 rows with a bfloat16 scale each: half the bytes of float16."""

import numpy as np

from ..entropy.bfloat16 import round_up_bfloat16
from ..entropy.weights import Dense, HeadWeights, QuantizedDense, QuantizedHead

__all__ = ["quantize_head"]

LIMIT = 127
SMALLEST = 1e-12


def quantize_head(head: HeadWeights) -> QuantizedHead:
    """Round every layer to the nearest stored values."""
    layers = (
        head.opacity_hidden, head.opacity_out, head.covariance_hidden,
        head.covariance_out, head.color_hidden, head.color_out,
    )  # fmt: skip
    return QuantizedHead(
        layers=tuple(_quantized(layer) for layer in layers), distance_unit=head.distance_unit
    )


def _quantized(layer: Dense) -> QuantizedDense:
    scale = round_up_bfloat16(np.abs(layer.weight).max(axis=1) / LIMIT + SMALLEST)
    weight = np.rint(layer.weight / scale[:, None])
    return QuantizedDense(
        weight=np.clip(weight, -LIMIT, LIMIT).astype(np.int8),
        scale=scale,
        bias=layer.bias.astype(np.float16).astype(np.float32),
    )
