"""The search for a first level of a wanted part of the file, on files of known sizes."""

import numpy as np
import pytest

from pcgs_engine.codec.encoded_scene import EncodedLevel, EncodedScene, FileChunk
from pcgs_engine.codec.fit_first_level import TOLERANCE, first_level_part, fit_first_level

ANCHORS = 1000


def scene(first, later, anchors=ANCHORS):
    chunks = tuple(
        FileChunk(code=b"XXXX", level=level, count=1, data=bytes(size))
        for level, size in ((1, first), (2, later))
    )
    levels = (EncodedLevel(anchors=anchors, gaussians=anchors),) * 2
    return EncodedScene(chunks=chunks, levels=levels)


class Coder:
    """A file of 400 kB whose level 1 loses a little with every anchor, not in proportion."""

    def __init__(self, power):
        self.power, self.calls = power, 0

    def __call__(self, rows):
        self.calls += 1
        gone = len(rows) / ANCHORS
        first = int(240_000 - 150_000 * gone**self.power)
        return scene(first, 400_000 - first, ANCHORS - len(rows))


@pytest.mark.parametrize("power", [0.7, 1.0, 1.5])
@pytest.mark.parametrize("wanted", [0.4, 0.5, 0.57])
def test_wanted_part_is_met_from_below_in_few_tries(power, wanted):
    coder = Coder(power)
    found = fit_first_level(coder([]), coder, np.arange(700), wanted=wanted, front=0)
    assert wanted - TOLERANCE <= first_level_part(found, 0) <= wanted
    assert coder.calls <= 6


def test_part_that_is_small_enough_is_left_alone():
    coder = Coder(1.0)
    whole = coder([])
    assert fit_first_level(whole, coder, np.arange(400), wanted=0.7, front=0) is whole
    assert coder.calls == 1


@pytest.mark.parametrize("most", [0, 100])
def test_part_out_of_reach_gives_the_least(most):
    coder = Coder(1.0)
    found = fit_first_level(coder([]), coder, np.arange(most), wanted=0.2, front=0)
    assert found.levels[0].anchors == ANCHORS - most


def test_files_that_do_not_shrink_end_the_search():
    tries = []

    def stubborn(rows):
        tries.append(len(rows))
        return scene(300_000 + len(rows), 100_000)

    whole = stubborn([])
    found = fit_first_level(whole, stubborn, np.arange(400), wanted=0.5, front=0)
    assert found is whole
    assert len(tries) <= 9


def test_part_counts_what_comes_before_the_chunks():
    assert first_level_part(scene(100_000, 100_000), 0) == pytest.approx(0.5, abs=0.001)
    assert first_level_part(scene(100_000, 100_000), 50_000) == pytest.approx(0.6, abs=0.001)
