"""Hash grid kernels on cases small enough to work out by hand."""

import numpy as np
import pytest

from pcgs_engine.kernels import hash_grid

UNIT_BOX = (np.zeros(3, np.float32), np.ones(3, np.float32))


def lookup(position: list[float], level: list[int]) -> tuple[list[int], list[float]]:
    """Return rows and weights of one position on one level."""
    corners = 1 << level[0]
    rows, weights = np.empty((1, corners), np.int32), np.empty((1, corners), np.float32)
    places, levels = np.array([position], np.float32), np.array([level], np.int64)
    hash_grid.locate(places, *UNIT_BOX, levels, rows, weights)
    return rows[0].tolist(), weights[0].tolist()


def test_locate_dense_plane_gives_rows_in_order_of_x_then_y() -> None:
    # r = 10: pos = 8 u + 0.5 = (4.5, 2.75); rows from 100 on
    rows, weights = lookup([0.5, 0.9, 0.28125], [2, 0, 2, 0, 10, 104, 100])
    assert rows == [100 + 24, 100 + 25, 100 + 34, 100 + 35]
    assert weights == pytest.approx([0.125, 0.125, 0.375, 0.375])


def test_locate_hashed_level_uses_the_primes_modulo_the_table() -> None:
    # r = 20, 64 rows: pos = 18 u + 0.5 = (9.5, 9.5, 9.5)
    rows, weights = lookup([0.5, 0.5, 0.5], [3, 0, 1, 2, 20, 64, 8])
    expected = [
        8 + (x ^ (y * 2654435761 % 2**32) ^ (z * 805459861 % 2**32)) % 64
        for z in (9, 10)
        for y in (9, 10)
        for x in (9, 10)
    ]
    assert rows == expected
    assert weights == pytest.approx([0.125] * 8)


def test_locate_at_the_edge_leaves_outer_vertices_out_and_renormalizes() -> None:
    # r = 10: pos = (0.5, 4.5): the vertices with x = 0 are left out
    rows, weights = lookup([0.0, 0.5, 0.5], [2, 0, 1, 0, 10, 104, 0])
    assert weights == pytest.approx([0, 0.5, 0, 0.5])
    assert [rows[1], rows[3]] == [41, 51]


def test_locate_outside_gives_zero_weights_in_the_levels_own_rows() -> None:
    for position in ([0.5, -0.001, 0.5], [0.5, 0.5, 1.001], [np.nan, 0.5, 0.5]):
        rows, weights = lookup(position, [2, 0, 1, 0, 10, 104, 100])
        assert (rows, weights) == ([100] * 4, [0.0] * 4)


@pytest.mark.parametrize("width", [1, 4, 7])
def test_gather_and_scatter_against_dense_matrix_agree(width: int) -> None:
    rng = np.random.default_rng(0)
    corners = np.array([8, 4, 4], np.int64)
    signs = rng.choice(np.array([-1, 1], np.int8), (50, width))
    rows = rng.integers(0, 50, (20, 16)).astype(np.int32)
    weights = rng.random((20, 16)).astype(np.float32)
    picks = rng.integers(0, 20, 30)
    matrix = np.zeros((3, 30, 50))  # per level: features = matrix @ signs
    for level, (first, last) in enumerate([(0, 8), (8, 12), (12, 16)]):
        for i, pick in enumerate(picks):
            np.add.at(matrix[level, i], rows[pick, first:last], weights[pick, first:last])
    features = np.empty((30, 3 * width), np.float32)
    hash_grid.gather(signs, rows, weights, picks, corners, features)
    expected = np.concatenate(list(matrix @ signs), axis=1)
    np.testing.assert_allclose(features, expected, atol=1e-5)

    cotangent = rng.standard_normal((30, 3 * width)).astype(np.float32)
    gradient = np.zeros((50, width), np.float32)
    for first, last in [(0, 1), (1, 3)]:
        hash_grid.scatter(cotangent, rows, weights, picks, corners, first, last, gradient)
    parts = np.split(cotangent, 3, axis=1)
    wanted = sum(m.T @ part for m, part in zip(matrix, parts, strict=True))
    np.testing.assert_allclose(gradient, wanted, atol=1e-4)
