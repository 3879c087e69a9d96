"""CPU rasterizer against the readable reference in float64: images and every gradient.

Tolerances: both compute the same formulas, so differences are float32 rounding. An image may
differ more at single pixels where alpha crosses 1/255 or the transmittance 1e-4 the other way
(measured 1e-5), so images are held to 5e-5 and gradients, sums over many pixels, to a relative L2
of 1e-4; measured are 2e-7 and 3e-6.
"""

from dataclasses import dataclass, fields

import numpy as np
import pytest
import torch
from torch import Tensor

from pcgs_engine.model.gaussians import Gaussians
from pcgs_engine.render.cpu_backend import CpuRasterizer
from pcgs_engine.render.rasterizer import Rasterizer, RenderOutput
from pcgs_engine.render.reference_backend import ReferenceRasterizer
from pcgs_engine.scene.camera import Camera

IMAGE_TOLERANCE = 5e-5
GRADIENT_TOLERANCE = 1e-4
NAMES = ("means", "quats", "scales", "opacities", "colors")


@dataclass(frozen=True, kw_only=True)
class Case:
    count: int
    width: int
    height: int
    spread: float = -3.0
    centre: tuple[float, float] = (0.5, 0.5)
    stretch: float = 1.0
    background: bool = True
    opaque: bool = False


CASES = {
    "plain": Case(count=600, width=64, height=64),
    "odd_size_off_centre_fx_ne_fy": Case(
        count=900, width=75, height=41, centre=(0.31, 0.8), stretch=1.4
    ),
    "narrower_than_a_tile": Case(count=200, width=7, height=50),
    "large_gaussians": Case(count=60, width=50, height=33, spread=-0.7),
    "tiny_gaussians": Case(count=1500, width=64, height=48, spread=-6.0),
    "opaque_black_background": Case(
        count=1500, width=49, height=64, spread=-1.5, background=False, opaque=True
    ),
}


def make_camera(case: Case) -> Camera:
    angle = 0.3
    pose = np.eye(4)
    pose[:3, :3] = [
        [np.cos(angle), 0, np.sin(angle)],
        [0, 1, 0],
        [-np.sin(angle), 0, np.cos(angle)],
    ]
    pose[:3, 3] = 0.1, -0.2, 3.0
    return Camera(
        width=case.width,
        height=case.height,
        fx=0.9 * case.width,
        fy=0.9 * case.width * case.stretch,
        cx=case.centre[0] * case.width,
        cy=case.centre[1] * case.height,
        world_to_camera=pose,
    )


def make_tensors(case: Case, seed: int = 0) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    opacities = torch.rand(case.count, generator=rng)
    return {
        "means": torch.randn(case.count, 3, generator=rng),
        "quats": torch.randn(case.count, 4, generator=rng),
        "scales": (0.6 * torch.randn(case.count, 3, generator=rng) + case.spread).exp(),
        "opacities": 1 - 0.01 * opacities if case.opaque else opacities,
        "colors": torch.rand(case.count, 3, generator=rng),
    }


def render_with_gradients(
    rasterizer: Rasterizer, case: Case, dtype: torch.dtype, device: str = "cpu"
) -> tuple[RenderOutput, dict[str, Tensor]]:
    tensors = {
        name: tensor.to(device, dtype).requires_grad_()
        for name, tensor in make_tensors(case).items()
    }
    background = None
    if case.background:
        background = torch.tensor([0.1, 0.9, 0.4], dtype=dtype, device=device, requires_grad=True)
    output = rasterizer.render(
        Gaussians(**tensors),
        make_camera(case),
        background=background,
        with_depth=True,
        track_means2d=True,
    )
    rng = torch.Generator().manual_seed(1)
    assert output.depth is not None
    pictures = (output.image, output.alpha, output.depth)
    weights = [torch.randn(picture.shape, generator=rng).to(picture) for picture in pictures]
    sum((p * w).sum() for p, w in zip(pictures, weights, strict=True)).backward()
    gradients = {name: tensor.grad for name, tensor in tensors.items()}
    gradients["means2d"] = output.means2d.grad
    if background is not None:
        gradients["background"] = background.grad
    return output, gradients


def relative_error(value: Tensor, expected: Tensor) -> float:
    value, expected = value.detach().double().cpu(), expected.detach().double().cpu()
    return float((value - expected).norm() / expected.norm())


@pytest.fixture(scope="module", params=CASES)
def pair(request):
    case = CASES[request.param]
    ours = render_with_gradients(CpuRasterizer(2), case, torch.float32)
    return ours, render_with_gradients(ReferenceRasterizer(), case, torch.float64)


@pytest.mark.parametrize("field", ["image", "alpha", "depth"])
def test_rasterizer_cpu_against_reference_draws_the_same(pair, field):
    (ours, _), (reference, _) = pair
    value, expected = getattr(ours, field), getattr(reference, field)
    assert expected.abs().max() > 0.1
    if field == "depth":
        # Depth is divided by alpha, so where alpha is near 0 its rounding error grows.
        shown = reference.alpha > 0.01
        value, expected = value[shown], expected[shown]
    assert (value - expected).abs().max() < IMAGE_TOLERANCE * max(1.0, expected.abs().max())


@pytest.mark.parametrize("name", [*NAMES, "means2d", "background"])
def test_rasterizer_cpu_against_reference_has_the_same_gradient(pair, name):
    (_, ours), (_, reference) = pair
    if name not in reference:
        pytest.skip("this case has no background")
    assert reference[name].norm() > 0
    assert relative_error(ours[name], reference[name]) < GRADIENT_TOLERANCE


def test_rasterizer_cpu_against_reference_has_the_same_radii(pair):
    (ours, _), (reference, _) = pair
    # ceil() may land on either side of a whole number.
    assert ((ours.radii - reference.radii).abs() <= 1).all()
    assert (ours.visible == reference.visible).float().mean() > 0.999


def test_rasterizer_cpu_without_depth_has_the_same_gradients():
    case = CASES["plain"]
    results = []
    for rasterizer, dtype in (
        (CpuRasterizer(1), torch.float32),
        (ReferenceRasterizer(), torch.float64),
    ):
        tensors = {n: t.to(dtype).requires_grad_() for n, t in make_tensors(case).items()}
        output = rasterizer.render(Gaussians(**tensors), make_camera(case))
        assert output.depth is None
        (output.image**2).sum().backward()
        results.append({n: t.grad for n, t in tensors.items()})
    for name in NAMES:
        assert relative_error(results[0][name], results[1][name]) < GRADIENT_TOLERANCE


def test_rasterizer_cpu_any_thread_count_gives_identical_bits():
    case = Case(count=9000, width=75, height=52)  # enough that the Gaussians are split, too
    one, one_gradients = render_with_gradients(CpuRasterizer(1), case, torch.float32)
    for threads in (2, 3):
        other, gradients = render_with_gradients(CpuRasterizer(threads), case, torch.float32)
        for field in fields(RenderOutput):
            assert torch.equal(getattr(one, field.name), getattr(other, field.name)), field.name
        for name, gradient in one_gradients.items():
            assert torch.equal(gradient, gradients[name]), name


def test_rasterizer_cpu_anchors_in_view_agree_with_reference():
    case = CASES["odd_size_off_centre_fx_ne_fy"]
    tensors, rng = make_tensors(case), torch.Generator().manual_seed(3)
    count = len(tensors["means"])
    anchors = (
        3 * tensors["means"],
        torch.cat([0.5 * torch.rand(count, 3, generator=rng), tensors["scales"]], dim=1),
        torch.randn(count, 3, 3, generator=rng),
        torch.rand(count, 3, generator=rng) < 0.5,
    )
    rows = CpuRasterizer(2).anchors_in_view(make_camera(case), *anchors)
    expected = ReferenceRasterizer().anchors_in_view(make_camera(case), *anchors)
    # float64 against float32: one at the very border may differ
    assert len(set(rows.tolist()) ^ set(expected.tolist())) <= 1
    assert 0.05 < len(rows) / count < 0.95


@pytest.mark.gpu
def test_rasterizer_cuda_against_reference_draws_and_derives_the_same():
    from pcgs_engine.render.cuda_backend import CudaRasterizer, missing_cuda_reason

    reason = missing_cuda_reason()
    if reason is not None:
        pytest.skip(reason)
    pytest.importorskip("gsplat", reason="gsplat is not installed")
    for case in CASES.values():
        output, gradients = render_with_gradients(CudaRasterizer(), case, torch.float32, "cuda")
        reference, expected = render_with_gradients(ReferenceRasterizer(), case, torch.float64)
        # gsplat works its covariances in float32 and its exp is approximate.
        assert (output.image.cpu() - reference.image).abs().max() < 1e-3
        assert (output.visible.cpu() == reference.visible).float().mean() > 0.999
        for name, gradient in expected.items():
            assert relative_error(gradients[name], gradient) < 1e-3, name
