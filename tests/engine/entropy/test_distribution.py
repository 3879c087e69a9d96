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
    coded_symbols,
)
from pcgs_engine.entropy.frequencies import bit_probability, cumulative_rows, frequencies
from pcgs_engine.entropy.generate_tables import write_tables
from pcgs_engine.entropy.quantization import (
    gaussian_parameters,
    scale_index,
    trit_parameters,
)
from pcgs_engine.entropy.tables import SCALE_COUNT, load_tables
from pcgs_engine.errors import ChecksumError

TABLES = load_tables()


def one_mixture(mean, sigma, weight):
    found = gaussian_parameters(np.float32(mean), np.float32(sigma), np.float32([256, 256]))
    return MixtureDistribution.from_parameters(
        found.mean[:, None], found.scale[:, None], np.array([weight]), TABLES
    )


def probabilities(law):
    window = law.law(slice(None))
    values = int(window.low[0]) + np.arange(int(window.width[0]) + 1)
    spread = MixtureDistribution(
        mean=np.repeat(law.mean, len(values), axis=1),
        scale=np.repeat(law.scale, len(values), axis=1),
        weight=np.repeat(law.weight, len(values)),
        tables=TABLES,
    )
    found = spread.intervals(values)
    low, high = found.low.astype(int), found.last.astype(int) + 1
    assert np.array_equal(high[:-1], low[1:])
    assert low[0] == 0
    assert high[-1] == TOTAL
    return values, high - low


@pytest.mark.parametrize("sigma", [0.01, 0.3, 1.0, 7.0, 90.0, 4096.0])
@pytest.mark.parametrize("weight", [0, 1, 128, 256])
def test_mixture_any_parameters_is_strictly_increasing_and_complete(sigma, weight):
    values, mass = probabilities(one_mixture([0.37, -900.2], [sigma, 2.5], weight))
    assert mass.min() >= 1
    assert mass.sum() == TOTAL
    assert 2 <= len(values) <= WINDOW


def test_mixture_far_components_keep_window_bound():
    _, mass = probabilities(one_mixture([-32000, 32000], [3.0, 4096.0], 100))
    assert len(mass) <= WINDOW


@pytest.mark.parametrize("sigma", [0.4, 1.7, 30.0])
def test_mixture_mass_matches_normal_law(sigma):
    values, mass = probabilities(one_mixture([0.3, 0.3], [sigma, sigma], 256))
    edges = [0.5 * math.erfc((0.3 + 0.5 - x) / (sigma * math.sqrt(2))) for x in values]
    law = np.diff([*edges, 1.0])
    # Sigma is rounded to steps of 6 %, each probability carries at least 1/65536.
    assert np.abs(mass / TOTAL - law).max() < 0.015
    cost = -(law * np.log2(mass / TOTAL)).sum()
    ideal = -(law[law > 0] * np.log2(law[law > 0])).sum()
    assert cost - ideal < 0.01


def test_mixture_weight_of_zero_component_ignores_it():
    alone = one_mixture([3.0, 3.0], [1.0, 1.0], 256)
    ignored = one_mixture([500.0, 3.0], [9.0, 1.0], 0)
    assert np.array_equal(probabilities(alone)[1], probabilities(ignored)[1])


def test_trits_extreme_logits_keep_every_symbol_possible():
    logits = np.array([[0.0, -1e30, 1e30], [5.0, 5.0, 5.0]], dtype=np.float32)
    law = TritDistribution.from_parameters(trit_parameters(logits), TABLES)
    first, second = law.boundaries(slice(None))
    assert (first >= 1).all()
    assert (second > first).all()
    assert (second < TOTAL).all()
    assert abs(int(first[1]) - TOTAL // 3) <= 1


def test_coded_symbols_beyond_window_give_distance_and_end_interval():
    law = MixtureDistribution.single(np.zeros(5, int), np.full(5, 112), TABLES)
    window = law.law(slice(None))
    low, high = int(window.low[0]), int((window.low + window.width)[0])
    found = coded_symbols(law, np.array([low - 3, low, 0, high, high + 9]))
    assert found.beyond.tolist() == [3, 0, -1, 0, 9]
    assert found.intervals.low[0] == found.intervals.low[1] == 0
    assert found.intervals.last[3] == found.intervals.last[4] == TOTAL - 1


def test_frequencies_rare_symbols_stay_possible():
    counts = np.array([[0, 1, 10**9, 0], [3, 0, 0, 1]])
    rows = cumulative_rows(frequencies(counts))
    mass = np.diff(rows, axis=1)
    assert (mass > 0).tolist() == (counts > 0).tolist()
    assert (mass.sum(axis=1) == TOTAL).all()


@pytest.mark.parametrize(("zeros", "total"), [(0, 0), (0, 9), (9, 9), (10**8, 10**8)])
def test_bit_probability_certain_bits_stay_inside(zeros, total):
    assert 1 <= bit_probability(zeros, total) <= TOTAL - 1


@pytest.mark.parametrize("damaged", sorted(tables_module.SHA256))
def test_load_tables_damaged_file_raises(tmp_path, monkeypatch, damaged):
    for name in tables_module.SHA256:
        data = bytearray((tables_module.DATA / name).read_bytes())
        data[-1] ^= name == damaged
        (tmp_path / name).write_bytes(data)
    monkeypatch.setattr(tables_module, "DATA", tmp_path)
    with pytest.raises(ChecksumError, match="install the package again"):
        load_tables()


def test_generate_tables_here_reproduces_shipped_files(tmp_path):
    write_tables(tmp_path)
    for name in ("normal_cdf", "exp", "logistic", "scales"):
        fresh, shipped = (
            np.load(folder / f"{name}.npy").astype(np.int64)
            for folder in (tmp_path, tables_module.DATA)
        )
        assert np.abs(fresh - shipped).max() <= 1
    ratio = np.load(tmp_path / "step_ratio.npy")
    np.testing.assert_allclose(ratio, TABLES.step_ratio, rtol=1e-6)


def test_tables_hold_what_the_format_says():
    assert TABLES.normal[0] == 0
    assert TABLES.normal[-1] == 1 << 24
    assert TABLES.logistic[[0, 255, 510]].tolist() == [0, 128, 256]
    assert TABLES.step_ratio[[0, 255]].tolist() == [1 / 16, 1]
    assert len(TABLES.inverse_scale) == len(TABLES.reach) == SCALE_COUNT
    assert (np.diff(TABLES.inverse_scale) < 0).all()


def test_scale_table_bucket_of_float_is_within_its_width():
    sigma = np.float32(np.exp(np.random.default_rng(0).uniform(np.log(2**-6.9), np.log(4090), 999)))
    found = (1 << 23) / TABLES.inverse_scale[scale_index(sigma)]
    assert np.abs(found / sigma - 1).max() < 1 / 31
