"""Hash features in integers: the rules of FORMAT.md §8.1, and equality of both backends."""

from dataclasses import replace

import numpy as np
import pytest

from pcgs_engine.config import HashGridConfig
from pcgs_engine.entropy import native_hash_grid
from pcgs_engine.entropy.backend import EntropyBackend, best_backend
from pcgs_engine.entropy.hash_features import (
    HASH_UNITS,
    grid_entries,
    grid_levels,
    hash_features,
)
from pcgs_engine.entropy.weights import HashGridWeights
from pcgs_engine.errors import MalformedError

CONFIG = HashGridConfig(
    features_per_level=2,
    resolutions_3d=(6, 40),
    log2_table_3d=9,
    resolutions_2d=(12,),
    log2_table_2d=8,
)
BACKENDS = sorted({EntropyBackend.NUMPY, best_backend()}, key=lambda b: b.value)


def grid(seed=0, config=CONFIG, low=(-3000, -70_000, 11), size=(51_234, 99_999, 7000)):
    rng = np.random.default_rng(seed)
    shape = (grid_entries(config), config.features_per_level)
    signs = rng.choice(np.array([-1, 1], dtype=np.int8), shape)
    return HashGridWeights(
        config=config, signs=signs, box_low=np.array(low), box_size=np.array(size)
    )


def places(weights, count, seed):
    """Lattice points in and a little outside the box."""
    low, high = weights.box_low - 512, weights.box_low + weights.box_size + 512
    rng = np.random.default_rng(seed)
    found = rng.integers(low // 256, np.maximum(high // 256, low // 256 + 1), (count, 3))
    return found.clip(-(1 << 31), (1 << 31) - 1).astype(np.int32)


def plain_features(weights, point):
    """The rules in Python integers, one vertex at a time."""
    units = [256 * int(x) - int(b) for x, b in zip(point, weights.box_low, strict=True)]
    sizes = [int(x) for x in weights.box_size]
    width, result = weights.signs.shape[1], []
    for level in grid_levels(weights.config):
        r, d = level.resolution, len(level.axes)
        place = [units[a] * (r - 2) * 256 // max(sizes[a], 1) + 128 for a in level.axes]
        total, weight_sum = [0] * width, 0
        for corner in np.ndindex(*(2,) * d):
            vertex = [(p >> 8) + side for p, side in zip(place, corner, strict=True)]
            if min(vertex) <= 0 or max(vertex) >= r - 1:
                continue
            weight = 1
            for p, side in zip(place, corner, strict=True):
                weight *= p & 255 if side else 256 - (p & 255)
            if r**d <= level.entries:
                row = sum(v * r**i for i, v in enumerate(vertex))
            else:
                row = 0
                for v, prime in zip(vertex, (1, 2654435761, 805459861), strict=False):
                    row ^= v * prime
                row = row % 2**32 % level.entries
            signs = weights.signs[level.start + row].tolist()
            total = [t + weight * s for t, s in zip(total, signs, strict=True)]
            weight_sum += weight
        inside = all(0 <= u <= s for u, s in zip(units, sizes, strict=True)) and weight_sum
        result += [(t * 1024 + weight_sum) // (2 * weight_sum) if inside else 0 for t in total]
    return result


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("low", "size"),
    [
        ((-3000, -70_000, 11), (51_234, 99_999, 7000)),
        ((0, 0, 0), (0, 256, 1)),
        ((-(1 << 39), -(1 << 31), 5), (1 << 32, 1 << 32, (1 << 32) - 3)),
    ],
)
def test_hash_features_match_plain_rules(backend, low, size):
    weights = grid(low=low, size=size)
    lattice = places(weights, 300, 1)
    lattice[0] = weights.box_low // 256
    found = hash_features(weights, lattice, backend)
    assert found.tolist() == [plain_features(weights, p) for p in lattice]
    assert found.dtype == np.int16
    assert np.abs(found).max() <= HASH_UNITS


@pytest.mark.parametrize("features", [1, 3, 4, 8])
def test_hash_features_any_width_agree_between_backends(features, monkeypatch):
    if best_backend() is not EntropyBackend.NATIVE:
        pytest.skip("native library is not built here")
    monkeypatch.setattr(native_hash_grid, "worker_count", lambda: 3)
    config = replace(
        CONFIG, features_per_level=features, resolutions_3d=(5, 300, 65536), resolutions_2d=(4, 999)
    )
    weights = grid(features, config)
    lattice = places(weights, 20_000, 2)
    found = [hash_features(weights, lattice, b) for b in BACKENDS]
    assert np.array_equal(*found)
    assert (found[0] != 0).any(axis=0).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_hash_features_outside_box_are_zero(backend):
    weights = grid(low=(0, 0, 0), size=(2560, 2560, 2560))
    lattice = np.array([[5, 5, 11], [-1, 5, 5], [1 << 30, 5, 5]], dtype=np.int32)
    assert not hash_features(weights, lattice, backend).any()
    assert hash_features(weights, lattice[:0], backend).shape == (0, 10)


@pytest.mark.parametrize(
    "change",
    [
        {"box_size": np.array([1, 1, (1 << 32) + 1])},
        {"box_size": np.array([1, -1, 1])},
        {"box_low": np.array([0, 0, 1 << 50])},
        {"signs": np.ones((7, 2), dtype=np.int8)},
    ],
)
def test_hash_features_impossible_grid_raises(change):
    with pytest.raises(MalformedError, match="hash grid"):
        hash_features(replace(grid(), **change), np.zeros((1, 3), dtype=np.int32))


def test_grid_entries_small_levels_are_dense_and_rounded():
    first, second, *planes = grid_levels(CONFIG)
    assert (first.entries, first.dense) == (216, True)
    assert (second.entries, second.dense) == (512, False)
    assert [p.axes for p in planes] == [(0, 1), (0, 2), (1, 2)]
    assert planes[-1].start + planes[-1].entries == grid_entries(CONFIG)
