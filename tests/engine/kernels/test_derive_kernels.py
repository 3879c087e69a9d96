"""Fused kernels from head outputs to Gaussians: same values and gradients as plain torch."""

import pytest
import torch

from pcgs_engine.config import Head, ModelConfig
from pcgs_engine.kernels.pool import KernelPool
from pcgs_engine.model.attribute_head import AttributeHead
from pcgs_engine.model.derive import Derived, derive_gaussians

FIELDS = ("means", "quats", "scales", "opacities", "colors")


def build_inputs(head: Head, degree: int, count: int = 3000):
    torch.manual_seed(3)
    config = ModelConfig(feature_dim=10, num_offsets=5, head=head, head_hidden=16, sh_degree=degree)
    network = AttributeHead(config, distance_unit=2.0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.4 * torch.randn_like(parameter))
    tensors = {
        "features": torch.randn(count, 10),
        "scaling": 0.2 * torch.randn(count, 6).exp() - 0.02,  # some below the floor
        "offsets": torch.randn(count, 5, 3),
        "mask": (torch.rand(count, 5) > 0.2).float(),
    }
    return network, torch.randn(count, 3), tensors


def run(network, positions, tensors, pool) -> tuple[Derived, dict[str, torch.Tensor]]:
    leaves = {name: t.clone().requires_grad_() for name, t in tensors.items()}
    network.zero_grad()
    centre = torch.tensor([0.3, -0.2, 0.5])
    derived = derive_gaussians(
        network, positions, leaves["features"], leaves["scaling"], leaves["offsets"],
        leaves["mask"], centre, pool=pool,
    )  # fmt: skip
    weights = torch.Generator().manual_seed(5)
    total = derived.opacity.square().sum()  # the growth statistics' output has gradients too
    for name in FIELDS:
        values = getattr(derived.gaussians, name)
        total = total + (values * torch.randn(values.shape, generator=weights)).sum()
    total.backward()
    gradients = {name: t.grad for name, t in leaves.items()}
    gradients |= {name: p.grad.clone() for name, p in network.named_parameters()}
    return derived, gradients


@pytest.mark.parametrize(
    ("head", "degree"),
    [(Head.NEURAL, 0), *((Head.EXPLICIT, degree) for degree in range(4))],
)
def test_fused_gaussians_equal_plain_torch_with_all_gradients(head, degree):
    inputs = build_inputs(head, degree)
    expected, expected_gradients = run(*inputs, None)
    derived, gradients = run(*inputs, KernelPool(2))
    assert 1000 < len(expected.slots) < 3000 * 5
    assert torch.equal(derived.slots, expected.slots)
    for name in FIELDS:
        torch.testing.assert_close(
            getattr(derived.gaussians, name), getattr(expected.gaussians, name), msg=name
        )
    for name, wanted in expected_gradients.items():
        # sums over 3000 rows in another order: errors relative to the largest entry
        scale = float(wanted.abs().max()) + 1e-6
        torch.testing.assert_close(
            gradients[name] / scale, wanted / scale, rtol=1e-4, atol=3e-6, msg=name
        )


def test_fused_gaussians_do_not_depend_on_the_number_of_threads():
    inputs = build_inputs(Head.EXPLICIT, 1)
    one, one_gradients = run(*inputs, KernelPool(1))
    three, three_gradients = run(*inputs, KernelPool(3))
    for name in FIELDS:
        assert torch.equal(getattr(one.gaussians, name), getattr(three.gaussians, name)), name
    for name in ("scaling", "offsets", "mask"):
        assert torch.equal(one_gradients[name], three_gradients[name]), name


def test_fused_gaussians_without_any_existing_are_empty_with_zero_gradients():
    network, positions, tensors = build_inputs(Head.EXPLICIT, 1, count=10)
    tensors["mask"].zero_()
    derived, gradients = run(network, positions, tensors, KernelPool(1))
    assert derived.gaussians.means.shape == (0, 3)
    assert (gradients["offsets"] == 0).all()
