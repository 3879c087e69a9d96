"""Integer distributions: strictly increasing, complete, near the law they stand for."""

import math

import numpy as np
import pytest

from pcgs_engine.entropy import tables as tables_module
from pcgs_engine.entropy.distribution import (
    TOTAL,
    WINDOW,
    MixtureDistribution,
    TritDistribution,
)
from pcgs_engine.entropy.frequencies import bit_probability, cumulative_rows, frequencies
from pcgs_engine.entropy.quantization import (
    gaussian_parameters,
    mixture_weight,
    trit_parameters,
)
from pcgs_engine.entropy.tables import load_tables
from pcgs_engine.errors import ChecksumError

TABLES = load_tables()


def one_mixture(mean, sigma, weight):
    found = gaussian_parameters(np.array(mean), np.array(sigma), np.ones(2))
    return MixtureDistribution.from_parameters(
        found.mean[:, None], found.scale[:, None], np.array([weight]), TABLES
    )


def probabilities(law):
    low, high = int(law.low[0]), int(law.high[0])
    values = np.arange(low, high + 1)
    spread = MixtureDistribution(
        mean=np.repeat(law.mean, len(values), axis=1),
        inverse=np.repeat(law.inverse, len(values), axis=1),
        weight=np.repeat(law.weight, len(values), axis=1),
        low=np.repeat(law.low, len(values)),
        high=np.repeat(law.high, len(values)),
        tables=TABLES,
    )
    found = spread.intervals(values)
    assert np.array_equal(found.high[:-1], found.low[1:])
    assert found.low[0] == 0
    assert found.high[-1] == TOTAL
    return values, found.high - found.low


@pytest.mark.parametrize("sigma", [0.01, 0.3, 1.0, 7.0, 90.0, 4096.0])
@pytest.mark.parametrize("weight", [0, 1, 128, 256])
def test_mixture_any_parameters_is_strictly_increasing_and_complete(sigma, weight):
    values, mass = probabilities(one_mixture([0.37, -900.2], [sigma, 2.5], weight))
    assert mass.min() >= 1
    assert mass.sum() == TOTAL
    assert 2 <= len(values) <= WINDOW


def test_mixture_far_components_keep_window_bound():
    _, mass = probabilities(one_mixture([-4e6, 4e6], [3.0, 4096.0], 100))
    assert len(mass) <= WINDOW


@pytest.mark.parametrize("sigma", [0.4, 1.7, 30.0])
def test_mixture_mass_matches_normal_law(sigma):
    values, mass = probabilities(one_mixture([0.3, 0.3], [sigma, sigma], 256))
    edges = [0.5 * math.erfc((0.3 + 0.5 - x) / (sigma * math.sqrt(2))) for x in values]
    law = np.diff([*edges, 1.0])
    # Sigma is rounded to steps of 5 %, each probability carries at least 1/65536.
    assert np.abs(mass / TOTAL - law).max() < 0.015
    cost = -(law * np.log2(mass / TOTAL)).sum()
    ideal = -(law[law > 0] * np.log2(law[law > 0])).sum()
    assert cost - ideal < 0.01


def test_mixture_weight_of_zero_component_ignores_it():
    alone = one_mixture([3.0, 3.0], [1.0, 1.0], 256)
    ignored = one_mixture([500.0, 3.0], [9.0, 1.0], 0)
    assert np.array_equal(probabilities(alone)[1], probabilities(ignored)[1])


def test_trits_extreme_logits_keep_every_symbol_possible():
    below = trit_parameters(np.array([[0.0, -1e30, 1e30], [5.0, 5.0, 5.0]]))
    law = TritDistribution.from_parameters(below, TABLES)
    assert (law.first >= 1).all()
    assert (law.second > law.first).all()
    assert (law.second < TOTAL).all()
    assert abs(int(law.first[1]) - TOTAL // 3) <= 1


def test_quantization_extreme_values_stay_in_range():
    big = np.array([1e300, -1e300, 0.0])
    found = gaussian_parameters(big, np.array([0.0, 1e300, -2.0]), np.full(3, 1e-3))
    assert np.abs(found.mean).max() == 1 << 30
    assert found.scale.min() >= 0
    assert found.scale.max() == 255
    weights = mixture_weight(np.array([-1e9, 0.0, 1e9]), np.zeros(3))
    assert weights.tolist() == [0, 128, 256]


def test_frequencies_rare_symbols_stay_possible():
    counts = np.array([[0, 1, 10**9, 0], [3, 0, 0, 1]])
    rows = cumulative_rows(frequencies(counts))
    mass = np.diff(rows, axis=1)
    assert (mass > 0).tolist() == (counts > 0).tolist()
    assert (mass.sum(axis=1) == TOTAL).all()


@pytest.mark.parametrize(("zeros", "total"), [(0, 0), (0, 9), (9, 9), (10**8, 10**8)])
def test_bit_probability_certain_bits_stay_inside(zeros, total):
    assert 1 <= bit_probability(zeros, total) <= TOTAL - 1


def test_load_tables_damaged_file_raises(tmp_path, monkeypatch):
    for name in ("normal_cdf.npy", "scales.npy", "exp.npy"):
        data = bytearray((tables_module.DATA / name).read_bytes())
        data[-1] ^= 1
        (tmp_path / name).write_bytes(data)
    monkeypatch.setattr(tables_module, "DATA", tmp_path)
    with pytest.raises(ChecksumError, match="install the package again"):
        load_tables()


def test_generate_tables_here_reproduces_shipped_files(tmp_path):
    from pcgs_engine.entropy.generate_tables import write_tables

    write_tables(tmp_path)
    fresh = np.load(tmp_path / "normal_cdf.npy").astype(np.int64)
    assert np.abs(fresh - TABLES.normal.astype(np.int64)).max() <= 1
    assert TABLES.normal[0] == 0
    assert TABLES.normal[-1] == 1 << 24
