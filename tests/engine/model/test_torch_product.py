"""torch as multiplier: exact on the CPU, and a device that rounds is found out."""

import numpy as np
import pytest
import torch

from pcgs_engine.entropy.exact_product import numpy_product
from pcgs_engine.model import torch_product
from pcgs_engine.model.torch_product import TorchProduct, best_product


def test_torch_product_on_the_cpu_is_exact() -> None:
    rng = np.random.default_rng(0)
    left = rng.integers(-1023, 1024, (300, 128)).astype(np.float32)
    right = rng.integers(-127, 128, (70, 128)).astype(np.float32)
    left[0], right[0] = 1023, 127
    found = TorchProduct(torch.device("cpu"))(left, right)
    assert found.dtype == np.float32
    assert np.array_equal(found, left.astype(np.int64) @ right.astype(np.int64).T)


def test_torch_product_takes_views_and_no_rows() -> None:
    product = TorchProduct(torch.device("cpu"))
    left = np.arange(24, dtype=np.float32).reshape(4, 6)[:, ::2]
    right = np.arange(12, dtype=np.float32).reshape(3, 4).T
    assert np.array_equal(product(left, right), left @ right.T)
    assert product(left[:0], right).shape == (0, 4)


def test_best_product_on_the_cpu_is_numpys() -> None:
    assert best_product(torch.device("cpu")) == (numpy_product, "numpy")


class Device:
    """A device that is not the CPU: who multiplies there is patched."""

    type = "accelerator"

    def __str__(self) -> str:
        return "accelerator"


@pytest.mark.parametrize(
    ("rounded", "exact"),
    [
        (lambda x: x, True),
        (lambda x: x.to(torch.bfloat16).float(), False),
        (lambda x: x.to(torch.float16).float(), False),
        (lambda x: torch.floor(x / 2) * 2, False),  # one bit too few
    ],
)
def test_best_product_refuses_a_device_that_rounds_sums(monkeypatch, rounded, exact) -> None:
    class Product(TorchProduct):
        def __init__(self, device) -> None:
            super().__init__(torch.device("cpu"))

        def __call__(self, inputs, weight):
            return rounded(torch.from_numpy(super().__call__(inputs, weight))).numpy()

    monkeypatch.setattr(torch_product, "TorchProduct", Product)
    product, reason = best_product(Device())
    assert isinstance(product, Product) == exact
    assert ("checked against" in reason) == exact
    assert ("not exact" in reason) != exact


def test_best_product_refuses_inputs_of_eight_bits(monkeypatch) -> None:
    class Product(TorchProduct):
        def __init__(self, device) -> None:
            super().__init__(torch.device("cpu"))

        def __call__(self, inputs, weight):
            short = torch.from_numpy(inputs).to(torch.bfloat16).float().numpy()
            return super().__call__(short, weight)

    monkeypatch.setattr(torch_product, "TorchProduct", Product)
    assert best_product(Device())[0] is numpy_product


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("tf32", [False, True])
def test_best_product_on_a_gpu_is_exact(monkeypatch, tf32) -> None:
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", tf32)
    product, reason = best_product(torch.device("cuda"))
    assert isinstance(product, TorchProduct), reason
