"""CPU rasterizer on its own: slopes against finite differences, and inputs that could break it."""

import numpy as np
import pytest
import torch

from pcgs_engine.model.gaussians import Gaussians
from pcgs_engine.render.cpu_backend import CpuRasterizer
from pcgs_engine.render.reference_backend import ReferenceRasterizer
from pcgs_engine.scene.camera import Camera

CAMERA = Camera(width=37, height=29, fx=40.0, fy=36.0, cx=17.0, cy=15.5, world_to_camera=np.eye(4))
NAMES = ("means", "quats", "scales", "opacities", "colors")


def make_tensors(count: int, seed: int = 0) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    means = torch.rand(count, 3, generator=rng) - 0.5
    return {
        "means": means + torch.tensor([0.0, 0.0, 2.5]),
        "quats": torch.randn(count, 4, generator=rng),
        "scales": 0.05 + 0.2 * torch.rand(count, 3, generator=rng),
        "opacities": 0.1 + 0.7 * torch.rand(count, generator=rng),
        "colors": torch.rand(count, 3, generator=rng),
    }


def with_gradients(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.clone().requires_grad_() for name, tensor in tensors.items()}


@pytest.fixture(scope="module")
def rasterizer():
    return CpuRasterizer(2)


@pytest.mark.parametrize("name", NAMES)
def test_cpu_rasterizer_directional_slope_equals_finite_difference(rasterizer, name):
    # Four translucent Gaussians so wide that their edges, where alpha jumps by 1/255, lie outside
    # the image: the loss is smooth. Float32 rounding and the step leave well below 1 %.
    tensors = make_tensors(4)
    tensors["scales"] = 4 * tensors["scales"] + 0.4
    tensors["opacities"] = 0.3 + 0.5 * tensors["opacities"]
    weights = torch.linspace(-1, 1, 29 * 37 * 3).view(29, 37, 3).cos().double()
    direction = torch.randn(tensors[name].shape, generator=torch.Generator().manual_seed(5))
    step = 2e-3

    def loss(offset: float) -> float:
        moved = {**tensors, name: tensors[name] + offset * direction}
        return float((rasterizer.render(Gaussians(**moved), CAMERA).image * weights).sum())

    leaves = with_gradients(tensors)
    (rasterizer.render(Gaussians(**leaves), CAMERA).image * weights).sum().backward()
    slope = float((leaves[name].grad * direction).sum())
    assert slope == pytest.approx((loss(step) - loss(-step)) / (2 * step), rel=0.01)


@pytest.mark.parametrize("with_depth", [False, True])
def test_cpu_rasterizer_without_gaussians_shows_the_background(rasterizer, with_depth):
    leaves = with_gradients(make_tensors(0))
    background = torch.tensor([0.2, 0.4, 0.6], requires_grad=True)
    output = rasterizer.render(
        Gaussians(**leaves),
        CAMERA,
        background=background,
        with_depth=with_depth,
        track_means2d=True,
    )
    assert torch.equal(output.image, background.detach().expand(29, 37, 3))
    assert not output.alpha.any()
    output.image.sum().backward()
    assert torch.equal(background.grad, torch.full((3,), 29.0 * 37.0))
    assert leaves["means"].grad.shape == (0, 3)
    assert output.radii.shape == (0, 2)
    assert output.visible.shape == (0,)


def test_cpu_rasterizer_everything_behind_camera_shows_the_background(rasterizer):
    tensors = make_tensors(20)
    tensors["means"][:, 2] *= -1
    leaves = with_gradients(tensors)
    output = rasterizer.render(Gaussians(**leaves), CAMERA)
    output.image.sum().backward()
    assert not output.visible.any()
    assert not output.image.any()
    assert not leaves["means"].grad.any()


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("backend", [CpuRasterizer(1), ReferenceRasterizer()], ids=["cpu", "ref"])
def test_rasterizer_with_a_poisoned_gaussian_draws_the_others(backend, name, poison):
    tensors = make_tensors(30)
    keep = torch.arange(30) != 7
    expected = backend.render(Gaussians(**{n: t[keep] for n, t in tensors.items()}), CAMERA)
    tensors[name].view(30, -1)[7, 0] = poison
    leaves = with_gradients(tensors)
    output = backend.render(Gaussians(**leaves), CAMERA, with_depth=True, track_means2d=True)
    assert torch.equal(output.image, expected.image)
    assert not output.visible[7]
    (output.image.sum() + output.depth.sum()).backward()
    for leaf in leaves.values():
        assert leaf.grad.isfinite().all()
        assert not leaf.grad[7].any()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("quats", 0.0),
        ("scales", 0.0),
        ("scales", 1e-30),
        ("scales", 1e12),
        ("scales", 1e30),
        ("opacities", 0.0),
        ("opacities", -1.0),
        ("opacities", 5.0),
        ("means", 1e30),
        ("colors", 1e30),
    ],
)
def test_cpu_rasterizer_with_degenerate_gaussians_stays_finite(rasterizer, name, value):
    tensors = make_tensors(30)
    tensors[name][::3] = value
    leaves = with_gradients(tensors)
    output = rasterizer.render(Gaussians(**leaves), CAMERA, with_depth=True)
    assert output.image.isfinite().all()
    assert ((output.alpha >= 0) & (output.alpha <= 1)).all()
    output.image.mean().backward()
    for leaf in leaves.values():
        assert leaf.grad[1::3].isfinite().all()


def test_cpu_rasterizer_thin_needles_agree_with_reference(rasterizer):
    tensors = make_tensors(40)
    tensors["scales"] = torch.tensor([3.0, 1e-4, 1e-4]).expand(40, 3).contiguous()
    image = rasterizer.render(Gaussians(**tensors), CAMERA).image
    doubled = Gaussians(**{n: t.double() for n, t in tensors.items()})
    # Needles are e^-sigma of differences of large products: float32 conics leave about 1e-4.
    assert (image - ReferenceRasterizer().render(doubled, CAMERA).image).abs().max() < 1e-3


def test_cpu_rasterizer_without_gradients_gives_plain_tensors(rasterizer):
    output = rasterizer.render(Gaussians(**make_tensors(10)), CAMERA, with_depth=True)
    assert not output.image.requires_grad
    assert not output.means2d.requires_grad


def test_cpu_rasterizer_loss_on_alpha_alone_reaches_opacities(rasterizer):
    leaves = with_gradients(make_tensors(10))
    rasterizer.render(Gaussians(**leaves), CAMERA).alpha.sum().backward()
    assert (leaves["opacities"].grad > 0).any()
    assert not leaves["colors"].grad.any()


@pytest.mark.parametrize("backend", [CpuRasterizer(2), ReferenceRasterizer()])
def test_anchors_in_view_are_without_poison(backend):
    positions, scaling = make_tensors(6)["means"], torch.full((6, 6), 0.1)
    offsets, mask = torch.zeros(6, 2, 3), torch.ones(6, 2, dtype=torch.bool)
    offsets[1] = float("nan")
    scaling[2, 4] = float("inf")
    positions[3, 2] = 0.1
    positions[4, 0] = 100.0
    rows = backend.anchors_in_view(CAMERA, positions, scaling, offsets, mask)
    assert rows.tolist() == [0, 5]
    nothing = (torch.zeros(0, 3), torch.zeros(0, 6), torch.zeros(0, 2, 3), mask[:0])
    assert backend.anchors_in_view(CAMERA, *nothing).shape == (0,)
