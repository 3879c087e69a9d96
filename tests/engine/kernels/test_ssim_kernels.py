"""Blurs of the fused image loss against scipy, band by band."""

import numpy as np
import pytest
from scipy import ndimage

from pcgs_engine.kernels import ssim


def padded_rows(planes: int, height: int, row_size: int) -> np.ndarray:
    return np.zeros((planes, height + 2 * ssim.RADIUS, row_size), np.float32)


def blurred(plane: np.ndarray, axis: int) -> np.ndarray:
    half = ssim.window_weights().astype(np.float64)
    window = np.concatenate([half[:0:-1], half])
    return ndimage.convolve1d(plane, window, axis=axis, mode="constant")


def test_window_weights_are_a_gaussian_that_sums_to_one() -> None:
    half = ssim.window_weights()
    assert half.shape == (6,)
    assert half[0] + 2 * half[1:].sum() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(half[1:] / half[0], np.exp(-(np.arange(1, 6) ** 2) / 4.5), rtol=1e-6)


@pytest.mark.parametrize("width", [1, 4, 19])
def test_blur_moments_against_scipy_agrees(width: int) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 6, width, 3))
    moments, differences = padded_rows(4, 6, 3 * width), np.empty(6)
    rows = [plane.astype(np.float32).reshape(6, -1) for plane in (x, y)]
    everything = np.empty((0, 0), np.bool_)
    for band in [(0, 2), (2, 6)]:
        ssim.blur_moments(*rows, everything, ssim.window_weights(), *band, moments, differences)
    expected = [blurred(plane, axis=1) for plane in (x, y, x * x + y * y, x * y)]
    inner = moments[:, ssim.RADIUS : -ssim.RADIUS].reshape(4, 6, width, 3)
    np.testing.assert_allclose(inner, expected, atol=1e-6)
    np.testing.assert_allclose(differences, np.abs(x - y).sum(axis=(1, 2)), rtol=1e-5)


def test_blur_moments_of_some_rows_leaves_other_rows_alone() -> None:
    rows = np.ones((2, 8, 9), np.float32)
    moments, differences = padded_rows(4, 8, 9), np.full(8, -1.0)
    everything = np.empty((0, 0), np.bool_)
    ssim.blur_moments(*rows, everything, ssim.window_weights(), 3, 5, moments, differences)
    written = [row for row in range(moments.shape[1]) if moments[:, row].any()]
    assert written == [ssim.RADIUS + 3, ssim.RADIUS + 4]
    assert differences.tolist() == [-1, -1, -1, 0, 0, -1, -1, -1]


def test_compare_rows_sums_the_ssim_of_each_row() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.random((2, 7, 10, 3))
    moments = padded_rows(4, 7, 30)
    rows = [plane.astype(np.float32).reshape(7, -1) for plane in (x, y)]
    everything, window = np.empty((0, 0), np.bool_), ssim.window_weights()
    ssim.blur_moments(*rows, everything, window, 0, 7, moments, np.empty(7))
    similarity = np.empty(7)
    ssim.compare_rows(moments, window, 0, 7, np.empty((3, 0, 0), np.float32), similarity)
    mean_x, mean_y, squares, product = (
        blurred(blurred(plane, axis=1), axis=0) for plane in (x, y, x * x + y * y, x * y)
    )
    energy, both = mean_x**2 + mean_y**2, mean_x * mean_y
    top = (2 * both + 1e-4) * (2 * (product - both) + 9e-4)
    expected = top / ((energy + 1e-4) * (squares - energy + 9e-4))
    np.testing.assert_allclose(similarity, expected.sum(axis=(1, 2)), rtol=1e-5)
