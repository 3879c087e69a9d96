"""Exact integer products by torch: the encoder's GEMM on an accelerator, tested before use.

Integers of at most 10 bits times int8 with sums below 2**24 are exact in float32 and in TF32; a
device that says otherwise is not used. Source: codec design, FORMAT.md §8.2.
"""

import numpy as np
import numpy.typing as npt
import torch

from ..entropy.exact_product import ExactProduct, numpy_product
from ..entropy.integer_net import INPUT_LIMIT

__all__ = ["TorchProduct", "best_product"]

FloatArray = npt.NDArray[np.float32]

PROBE_ROWS, PROBE_INPUTS, PROBE_OUTPUTS = 64, 128, 96
WEIGHT_LIMIT = 127


class TorchProduct:
    """Multiplies on one torch device; arrays stay with the caller."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def __call__(self, inputs: FloatArray, weight: FloatArray) -> FloatArray:
        """Return `inputs @ weight.T`."""
        left = torch.from_numpy(np.ascontiguousarray(inputs)).to(self._device)
        right = torch.from_numpy(np.ascontiguousarray(weight)).to(self._device)
        product: FloatArray = (left @ right.T).cpu().numpy()
        return product


def best_product(device: torch.device) -> tuple[ExactProduct, str]:
    """Return who multiplies for an encoder on `device`, and why.

    Returns:
        TorchProduct where the device's sums are exact; numpy's product on the CPU, where it is as
        fast, and wherever the probe fails.
    """
    if device.type == "cpu":
        return numpy_product, "numpy"
    product = TorchProduct(device)
    if _is_exact(product):
        return product, f"torch on {device}, checked against 64-bit integers"
    return numpy_product, f"numpy: sums on {device} are not exact"


def _is_exact(product: ExactProduct) -> bool:
    """Compare random products near the bound with int64."""
    generator = np.random.default_rng(0)
    inputs = generator.integers(-INPUT_LIMIT, INPUT_LIMIT + 1, (PROBE_ROWS, PROBE_INPUTS))
    weight = generator.integers(-WEIGHT_LIMIT, WEIGHT_LIMIT + 1, (PROBE_OUTPUTS, PROBE_INPUTS))
    weight[0] = WEIGHT_LIMIT  # the largest sum: 128 * 127 * 1023 = 16.6 M, just below EXACT_SUM
    inputs[0] = INPUT_LIMIT
    wanted = inputs @ weight.T
    found = product(inputs.astype(np.float32), weight.astype(np.float32))
    return bool(np.array_equal(found.astype(np.float64), wanted))
