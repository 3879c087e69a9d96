"""ImageLoss: SSIM against a windowed sum written out in numpy, numba against torch, gradients
against finite differences in float64.
"""

import math

import numpy as np
import pytest
import torch

from pcgs_engine.kernels.pool import KernelPool
from pcgs_engine.training.image_loss import ImageLoss, ssim_map

SIZES = [(1, 1), (5, 7), (33, 40), (70, 21)]


def make_pair(height: int, width: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a smooth target and a noisy image of it, [H, W, 3]."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, height // 6 + 2, width // 6 + 2, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    target = smooth[0].movedim(0, -1).contiguous()
    noise = torch.randn(target.shape, generator=generator)
    return (target + 0.1 * noise).clamp(0, 1), target


def make_valid(height: int, width: int) -> torch.Tensor:
    return torch.rand(height, width, generator=torch.Generator().manual_seed(9)) > 0.3


def loss_and_gradient(
    loss: ImageLoss, image: torch.Tensor, target: torch.Tensor, valid: torch.Tensor | None = None
) -> tuple[float, torch.Tensor]:
    leaf = image.clone().requires_grad_()
    value = loss(leaf, target, valid)
    value.backward()
    assert leaf.grad is not None
    return value.item(), leaf.grad


def ssim_at(x: np.ndarray, y: np.ndarray, row: int, column: int) -> float:
    """Return SSIM of one pixel of two planes by the definition, zeros outside."""
    offsets = np.arange(-5, 6)
    line = np.exp(-(offsets**2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    a, b = (np.pad(plane, 5)[row : row + 11, column : column + 11] for plane in (x, y))
    mean_a, mean_b = (window * a).sum(), (window * b).sum()
    var_a, var_b = (window * a * a).sum() - mean_a**2, (window * b * b).sum() - mean_b**2
    cov = (window * a * b).sum() - mean_a * mean_b
    top = (2 * mean_a * mean_b + 1e-4) * (2 * cov + 9e-4)
    return float(top / ((mean_a**2 + mean_b**2 + 1e-4) * (var_a + var_b + 9e-4)))


def test_ssim_map_against_written_out_window_agrees() -> None:
    image, target = make_pair(23, 17)
    result = ssim_map(image.double(), target.double()).numpy()
    for row, column, channel in [(0, 0, 0), (22, 16, 1), (11, 8, 2), (3, 15, 0), (20, 2, 1)]:
        x, y = image[..., channel].double().numpy(), target[..., channel].double().numpy()
        # the window is stored in float32
        assert result[row, column, channel] == pytest.approx(ssim_at(x, y, row, column), abs=1e-5)


@pytest.mark.parametrize("threads", [0, 1])
def test_image_loss_is_the_weighted_sum_of_l1_and_ssim(threads: int) -> None:
    image, target = make_pair(23, 17)
    planes = [(image[..., c].double().numpy(), target[..., c].double().numpy()) for c in range(3)]
    similar = [
        ssim_at(x, y, row, column) for x, y in planes for row in range(23) for column in range(17)
    ]
    expected = 0.7 * float((image - target).abs().mean()) + 0.3 * (1 - float(np.mean(similar)))
    loss = ImageLoss(0.3, KernelPool(1) if threads else None)
    assert loss(image, target).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("weight", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("size", SIZES)
def test_image_loss_numba_against_torch_has_same_value_and_gradient(
    size: tuple[int, int], weight: float, masked: bool
) -> None:
    image, target = make_pair(*size)
    valid = make_valid(*size) if masked else None
    fast, gradient = loss_and_gradient(ImageLoss(weight, KernelPool(1)), image, target, valid)
    plain, expected = loss_and_gradient(ImageLoss(weight), image, target, valid)
    # variances are differences of blurred squares: float32 leaves about 1e-7 / C2 = 1e-4 a pixel
    # in flat areas, far less in the norm
    assert fast == pytest.approx(plain, rel=1e-5, abs=1e-7)
    assert float((gradient - expected).norm()) <= 1e-4 * float(expected.norm()) + 1e-9


@pytest.mark.parametrize("weight", [0.2, 1.0])
def test_image_loss_gradient_against_finite_differences_agrees(weight: float) -> None:
    image, target = make_pair(20, 18)
    # |x - y| has a kink at 0: keep every pixel further away from it than the step
    gap = image - target
    image = target + torch.where(gap >= 0, gap + 0.01, gap - 0.01)
    _, gradient = loss_and_gradient(ImageLoss(weight, KernelPool(1)), image, target)
    plain, step = ImageLoss(weight), 1e-5
    generator = torch.Generator().manual_seed(4)
    for _ in range(5):
        direction = torch.randn(image.shape, generator=generator, dtype=torch.float64)
        direction = direction.sign() * direction.abs().clamp(max=3)
        ahead = plain(image.double() + step * direction, target.double())
        behind = plain(image.double() - step * direction, target.double())
        expected = (ahead - behind).item() / (2 * step)
        found = float((gradient.double() * direction).sum())
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-5 * float(gradient.norm()))


@pytest.mark.parametrize("threads", [0, 1])
def test_image_loss_equal_images_have_no_loss_and_no_gradient(threads: int) -> None:
    _, target = make_pair(30, 24)
    loss = ImageLoss(0.2, KernelPool(1) if threads else None)
    value, gradient = loss_and_gradient(loss, target, target)
    assert abs(value) < 1e-6
    assert float(gradient.abs().max()) < 1e-6


@pytest.mark.parametrize("threads", [0, 1])
def test_image_loss_invalid_pixels_are_ignored_even_when_poisoned(threads: int) -> None:
    loss = ImageLoss(0.2, KernelPool(1) if threads else None)
    (image, target), valid = make_pair(30, 24), make_valid(30, 24)
    value, gradient = loss_and_gradient(loss, image, target, valid)
    poisoned = image.clone()
    poisoned[~valid] = math.nan
    poisoned[0, 0] = math.inf
    valid[0, 0] = False
    clean = image.clone()
    clean[0, 0] = 0.5
    assert loss_and_gradient(loss, poisoned, target, valid)[0] == pytest.approx(
        loss_and_gradient(loss, clean, target, valid)[0], rel=1e-6
    )
    found = loss_and_gradient(loss, poisoned, target, valid)[1]
    assert bool(torch.isfinite(found).all())
    assert float(found[~valid].abs().max()) == 0
    assert float(gradient[valid].abs().min(dim=1).values.max()) > 0
    assert 0 < value < 1


def test_image_loss_nothing_valid_is_zero() -> None:
    image, target = make_pair(16, 16)
    loss = ImageLoss(0.2, KernelPool(1))
    nothing = torch.zeros(16, 16, dtype=torch.bool)
    value, gradient = loss_and_gradient(loss, image, target, nothing)
    assert abs(value) < 1e-6
    assert float(gradient.abs().max()) == 0


@pytest.mark.parametrize("threads", [0, 1])
def test_image_loss_nan_in_a_valid_pixel_is_not_hidden(threads: int) -> None:
    image, target = make_pair(16, 16)
    image[4, 5, 1] = math.nan
    loss = ImageLoss(0.2, KernelPool(1) if threads else None)
    assert math.isnan(loss(image, target).item())


@pytest.mark.parametrize("constant", [0.0, 1.0])
def test_image_loss_flat_images_have_finite_gradients(constant: float) -> None:
    flat = torch.full((20, 20, 3), constant)
    image = torch.full((20, 20, 3), 1e-30)
    value, gradient = loss_and_gradient(ImageLoss(0.2, KernelPool(1)), image, flat)
    assert math.isfinite(value)
    assert bool(torch.isfinite(gradient).all())


def test_image_loss_any_thread_count_gives_the_same_bits() -> None:
    (image, target), valid = make_pair(150, 64), make_valid(150, 64)
    results = [
        loss_and_gradient(ImageLoss(0.2, KernelPool(threads)), image, target, valid)
        for threads in (1, 2, 3)
    ]
    for value, gradient in results[1:]:
        assert value == results[0][0]
        assert torch.equal(gradient, results[0][1])


def test_image_loss_gradient_scales_with_the_incoming_one() -> None:
    image, target = make_pair(16, 16)
    loss = ImageLoss(0.2, KernelPool(1))
    _, once = loss_and_gradient(loss, image, target)
    leaf = image.clone().requires_grad_()
    (-3 * loss(leaf, target)).backward()
    torch.testing.assert_close(leaf.grad, -3 * once)


def test_image_loss_without_gradient_has_the_same_value() -> None:
    image, target = make_pair(40, 30)
    loss = ImageLoss(0.2, KernelPool(1))
    value = loss(image, target)
    assert not value.requires_grad
    assert value.item() == loss_and_gradient(loss, image, target)[0]


def test_image_loss_permuted_input_equals_contiguous_one() -> None:
    image, target = make_pair(20, 30)
    loss = ImageLoss(0.2, KernelPool(1))
    planes = image.movedim(-1, 0).contiguous()
    value, gradient = loss_and_gradient(loss, planes.movedim(0, -1), target)
    expected, expected_gradient = loss_and_gradient(loss, image, target)
    assert value == expected
    assert torch.equal(gradient, expected_gradient)


@pytest.mark.parametrize("threads", [0, 1])
@pytest.mark.parametrize(
    ("image", "target", "valid"),
    [
        (torch.zeros(4, 5, 3), torch.zeros(5, 4, 3), None),
        (torch.zeros(4, 5, 4), torch.zeros(4, 5, 4), None),
        (torch.zeros(0, 5, 3), torch.zeros(0, 5, 3), None),
        (torch.zeros(4, 5, 3), torch.zeros(4, 5, 3), torch.ones(4, 4, dtype=torch.bool)),
        (torch.zeros(4, 5, 3), torch.zeros(4, 5, 3), torch.ones(4, 5)),
    ],
)
def test_image_loss_shapes_that_do_not_fit_raise(
    image: torch.Tensor, target: torch.Tensor, valid: torch.Tensor | None, threads: int
) -> None:
    loss = ImageLoss(0.2, KernelPool(1) if threads else None)
    with pytest.raises(ValueError, match="wanted"):
        loss(image, target, valid)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_image_loss_on_gpu_equals_cpu() -> None:
    # fails where the blurs are rounded to TF32
    (image, target), valid = make_pair(70, 50), make_valid(70, 50)
    value, gradient = loss_and_gradient(ImageLoss(0.2, KernelPool(1)), image, target, valid)
    moved = [tensor.to("cuda") for tensor in (image, target, valid)]
    found, found_gradient = loss_and_gradient(ImageLoss(0.2, KernelPool(1)), *moved)
    assert found == pytest.approx(value, rel=1e-5)
    assert float((found_gradient.cpu() - gradient).norm()) <= 1e-4 * float(gradient.norm())
