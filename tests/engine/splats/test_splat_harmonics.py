"""Spherical harmonics: signs and constants against gsplat, and the fit."""

import numpy as np
import pytest

from pcgs_engine.splats.spherical_harmonics import colors, fit, num_coefficients, sh_basis


def unit_vectors(count, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(count, 3))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_sh_values_equal_gsplat(degree):
    torch = pytest.importorskip("torch")
    module = pytest.importorskip("gsplat.cuda._torch_impl")
    rng = np.random.default_rng(degree)
    directions = unit_vectors(50)
    sh = rng.normal(size=(50, num_coefficients(degree), 3)).astype(np.float32)
    wanted = module._spherical_harmonics(degree, torch.tensor(directions), torch.tensor(sh)).numpy()
    found = np.einsum("mc,mcd->md", sh_basis(directions, degree), sh)
    np.testing.assert_allclose(found, wanted, atol=2e-6)
    np.testing.assert_allclose(colors(sh, directions), np.maximum(0, 0.5 + wanted), atol=2e-6)


def test_sh_basis_is_orthonormal_on_the_sphere():
    basis = sh_basis(unit_vectors(200_000), 3).astype(np.float64)
    gram = basis.T @ basis * (4 * np.pi / len(basis))
    np.testing.assert_allclose(gram, np.eye(16), atol=0.03)  # Monte Carlo error is about 0.01


def test_sh_fit_of_a_low_order_function_is_nearly_exact():
    rng = np.random.default_rng(1)
    basis = sh_basis(unit_vectors(24), 2)[None]
    truth = rng.normal(size=(1, 1, 9, 3)).astype(np.float32) * 0.3
    targets = 0.5 + basis[:, None] @ truth
    found = fit(basis, targets, np.ones((1, 1, 24), np.float32))
    error = basis[:, None] @ found + 0.5 - targets
    assert np.abs(error).max() < 0.04  # the ridge takes its share
    assert np.abs(error).mean() < 0.01


def test_sh_fit_of_constant_colours_is_exact_even_from_one_direction():
    basis = np.repeat(sh_basis(unit_vectors(1), 2)[None], 24, axis=1)
    color = np.array([0.9, 0.2, 0.4], np.float32)
    found = fit(basis, np.broadcast_to(color, (1, 1, 24, 3)), np.ones((1, 1, 24), np.float32))
    np.testing.assert_allclose(
        0.5 + basis[:, None] @ found, np.broadcast_to(color, (1, 1, 24, 3)), atol=1e-5
    )
    assert np.abs(found[:, :, 1:]).max() < 1e-5


def test_sh_fit_ignores_observations_of_zero_weight():
    basis = sh_basis(unit_vectors(24), 2)[None]
    targets = np.full((1, 1, 24, 3), 0.25, np.float32)
    targets[..., 12:, :] = 1.0
    weights = np.ones((1, 1, 24), np.float32)
    weights[..., 12:] = 0.0
    found = 0.5 + basis[:, None] @ fit(basis, targets, weights)
    np.testing.assert_allclose(found[..., :12, :], 0.25, atol=1e-5)


def test_sh_fit_without_any_weight_is_grey():
    basis = sh_basis(unit_vectors(4), 2)[None]
    found = fit(basis, np.ones((1, 2, 4, 3), np.float32), np.zeros((1, 2, 4), np.float32))
    np.testing.assert_array_equal(found, 0.0)
