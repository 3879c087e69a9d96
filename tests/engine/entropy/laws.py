"""Sample distributions and symbols for the tests of coders."""

import numpy as np

from pcgs_engine.entropy.distribution import (
    MixtureDistribution,
    TableDistribution,
    TritDistribution,
)
from pcgs_engine.entropy.tables import load_tables

TABLES = load_tables()
KINDS = ("mixture", "single", "trits", "tables")


def mixture(rng, count, widest=240):
    mean = rng.integers(-9000, 9000, (2, count))
    mean[1] = mean[0] + rng.integers(-700, 700, count)
    scale = rng.integers(0, widest, (2, count))
    weight = rng.choice([0, 1, 100, 255, 256], count)
    return MixtureDistribution.from_parameters(mean, scale, weight, TABLES)


def inside(law, rng):
    """Symbols in the windows of a mixture, mostly near their middle."""
    window = law.law(slice(None))
    spread = np.maximum(window.width, 2) // 4 + 1
    near = window.width // 2 + rng.integers(-1, 2, law.count) * rng.integers(0, spread)
    return window.low + near


def sample(kind, count, seed):
    """A distribution and symbols that mostly fit it."""
    rng = np.random.default_rng(seed)
    if kind == "mixture":
        law = mixture(rng, count)
        return law, inside(law, rng)
    if kind == "single":
        mean, scale = rng.integers(-9000, 9000, count), rng.integers(0, 304, count)
        law = MixtureDistribution.single(mean, scale, TABLES)
        return law, inside(law, rng)
    if kind == "trits":
        law = TritDistribution.from_parameters(rng.integers(0, 200, (count, 3)), TABLES)
        return law, rng.integers(0, 3, count)
    rows = np.array([[0, 0, 9, 9, 65536, 65536], [0, 1, 2, 65530, 65535, 65536]])
    index = rng.integers(0, 2, count)
    first_row = np.where(rng.random(count) < 0.1, 1, 3)
    return TableDistribution(tables=rows, index=index), np.where(
        index == 0, first_row, rng.integers(0, 5, count)
    )
