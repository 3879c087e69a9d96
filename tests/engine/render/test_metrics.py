"""PSNR and SSIM against values worked out independently."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from pcgs_engine.render.metrics import psnr, ssim


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    image = rng.random((40, 31, 3))
    return image, (image + 0.1 * rng.normal(size=image.shape)).clip(0, 1)


def test_psnr_of_a_constant_difference_is_known():
    image = np.full((5, 4, 3), 0.5)
    assert psnr(image, image + 0.1) == pytest.approx(20.0)
    assert psnr(torch.from_numpy(image), torch.from_numpy(image)) == math.inf


def test_psnr_with_valid_mask_ignores_the_rest():
    image, target = np.zeros((4, 4, 3)), np.zeros((4, 4, 3))
    target[0] = 1.0
    target[1:] = 0.01
    valid = np.ones((4, 4), bool)
    valid[0] = False
    assert psnr(image, target, valid) == pytest.approx(40.0)


def test_ssim_against_scipy_filter_agrees(pictures):
    image, target = pictures

    def blur(a):
        # truncate 5 px / 1.5: the same 11 taps; zeros outside.
        return gaussian_filter(a, (1.5, 1.5, 0), mode="constant", truncate=5 / 1.5)

    mx, my = blur(image), blur(target)
    vx, vy = blur(image**2) - mx**2, blur(target**2) - my**2
    cov = blur(image * target) - mx * my
    scores = (2 * mx * my + 1e-4) * (2 * cov + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
    assert ssim(image, target) == pytest.approx(scores.mean(), rel=1e-9)
    valid = np.arange(31) < 12
    assert ssim(image, target, np.broadcast_to(valid, (40, 31))) == pytest.approx(
        scores[:, :12].mean(), rel=1e-9
    )


def test_ssim_of_equal_images_is_one(pictures):
    assert ssim(pictures[0], torch.from_numpy(pictures[0]).float()) == pytest.approx(1.0, abs=1e-6)
