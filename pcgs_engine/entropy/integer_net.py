"""One integer network: integer inputs in, float32 outputs out, the same bits everywhere.

Sums of integers are exact (`exact_product`); what is left are single float32 operations, which
IEEE 754 rounds uniquely. FORMAT.md §8.2.
"""

import numpy as np
import numpy.typing as npt

from ..errors import MalformedError
from .exact_product import EXACT_SUM, ExactProduct
from .native_context import native_requantize
from .weights import IntegerNet

__all__ = ["INPUT_LIMIT", "LEAKY_SLOPE", "check_net", "evaluate", "quantize_inputs"]

FloatArray = npt.NDArray[np.float32]

INPUT_LIMIT = 1023
"""Largest magnitude of inputs and hidden units: 10 bits and a sign, exact in TF32 as well."""
LEAKY_SLOPE = np.float32(0.01)
"""Slope of LeakyReLU below zero. Source: facts §2.2."""


def quantize_inputs(values: FloatArray, scale: FloatArray) -> FloatArray:
    """Return clip(rint(values * scale)) as integers of at most `INPUT_LIMIT` in float32."""
    with np.errstate(over="ignore"):  # infinite is clipped like any large value
        return _limited(values * scale)


def evaluate(
    net: IntegerNet,
    inputs: FloatArray,  # [n, in] integers
    row: int,
    product: ExactProduct,
    *,
    native: bool,
) -> FloatArray:
    """Return the outputs `[n, out]`.

    Args:
        net: weights.
        inputs: `[n, in]` integers of at most `INPUT_LIMIT`.
        row: chooses the multipliers of a modulated net.
        product: who multiplies.
        native: whether the native library does the rest; the results are the same.
    """
    sums = product(inputs, net.hidden_weight.astype(np.float32))
    bias, multiplier = net.hidden_bias.astype(np.float32), net.multiplier[row]
    requantize = native_requantize if native else _requantize
    hidden = requantize(sums, bias, multiplier, leaky=net.leaky)
    out = product(hidden, net.out_weight.astype(np.float32))
    out += net.out_bias.astype(np.float32)
    out *= net.out_scale
    return out


def _requantize(
    sums: FloatArray,  # [n, H], changed
    bias: FloatArray,  # [H]
    multiplier: FloatArray,  # [H]
    *,
    leaky: bool,
) -> FloatArray:
    """Turn the products of a hidden layer into its units."""
    sums += bias
    sums *= multiplier
    if leaky:
        np.multiply(sums, LEAKY_SLOPE, out=sums, where=sums < 0)
    else:
        np.maximum(sums, 0, out=sums)
    return _limited(sums)


def _limited(units: FloatArray) -> FloatArray:
    """Round and clip in place."""
    np.rint(units, out=units)
    np.minimum(units, np.float32(INPUT_LIMIT), out=units)
    limited: FloatArray = np.maximum(units, np.float32(-INPUT_LIMIT), out=units)
    return limited


def check_net(name: str, net: IntegerNet) -> None:
    """Check that every sum is exact.

    Raises:
        MalformedError: inputs of full magnitude could pass 2**24.
    """
    for layer, weight, bias in (
        ("hidden", net.hidden_weight, net.hidden_bias),
        ("output", net.out_weight, net.out_bias),
    ):
        reach = np.abs(weight.astype(np.int64)).sum(axis=1) * INPUT_LIMIT
        most = int((reach + np.abs(bias.astype(np.int64))).max(initial=0))
        if most > EXACT_SUM:
            raise MalformedError(
                f"{name}: a sum of the {layer} layer can reach {most}, wanted at most {EXACT_SUM}"
            )
