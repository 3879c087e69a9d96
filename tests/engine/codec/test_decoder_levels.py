"""Earlier levels read from a finished decoder, also where blocks were skipped and caught up."""

import numpy as np
import pytest
from known_canvas import FIELDS, blocks_of, known_canvases
from synthetic_model import small_config, synthetic_model

from pcgs_engine.codec import ProgressiveDecoder, encode_chunks
from pcgs_engine.codec.plan_refinements import RefinementPlan
from pcgs_engine.errors import ConfigError, TruncatedError

PLANS = {
    "defaults": RefinementPlan(),
    "everything": RefinementPlan(first_worth=-1e9, last_worth=-1e9),
    "late": RefinementPlan(first_worth=1.1, last_worth=-1e9, packages=5),
    "much is never sent": RefinementPlan(first_worth=1.0, last_worth=0.8, packages=3),
    "nothing": RefinementPlan(first_worth=1e9, last_worth=1e9),
}


@pytest.fixture(scope="module", params=list(PLANS))
def scene(request):
    coded = synthetic_model(120, config=small_config(4), seed=11, ranks=3)
    data = encode_chunks(coded, plan=PLANS[request.param]).to_bytes({})
    return coded, data, request.param


def decoded(data, **options):
    decoder = ProgressiveDecoder(**options)
    decoder.feed(data)
    decoder.finish()
    return decoder


def test_level_of_finished_decoder_equals_decoding_only_that_level(scene):
    coded, data, _ = scene
    whole = decoded(data)
    ends = {k.level: k for k in known_canvases(data, coded)}  # the last cut of each level
    for level in range(1, 5):
        alone = decoded(data, last_level=level)
        assert alone.levels_ready == level
        one, two = whole.canvas(level), alone.canvas(level)
        for name in FIELDS:
            assert np.array_equal(getattr(one, name), getattr(two, name)), name
            assert np.array_equal(getattr(one, name), getattr(ends[level], name)), name
        assert one.counts == two.counts
        assert one.level == two.level == level
        first, second = whole.anchors(level), alone.anchors(level)
        for name in ("positions", "features", "scaling", "offsets", "gaussian_mask"):
            assert np.array_equal(getattr(first, name), getattr(second, name)), name
        assert whole.digest(level) == alone.digest(level)


def test_levels_stay_readable_between_packages_of_a_later_one(scene):
    coded, data, _ = scene
    known = known_canvases(data, coded)
    ends = {k.level: k for k in known}
    for state in known:
        decoder = decoded(data[: state.end])
        for level in range(1, decoder.levels_ready + 1):
            canvas = decoder.canvas(level)
            for name in FIELDS:
                assert np.array_equal(getattr(canvas, name), getattr(ends[level], name)), name
        if decoder.levels_ready < coded.config.num_levels:
            with pytest.raises(TruncatedError, match="feed more bytes"):
                decoder.anchors(decoder.levels_ready + 1)


def test_depths_follow_the_plan(scene):
    coded, data, name = scene
    last = known_canvases(data, coded)[-1].depths
    first = coded.anchors.first_level.astype(int)
    assert (last >= first[:, None] - 1).all()
    assert last.max() <= 3
    oldest = set(np.unique(last[first == 1]))
    if name == "everything":
        assert (last == 3).all()
    if name == "nothing":
        assert np.array_equal(last, np.broadcast_to(first[:, None] - 1, last.shape))
        assert not blocks_of(data, coded)
    if name == "late":  # skipped at level 2: one step behind for ever, at most one a level
        assert {2, 3} <= oldest
    if name == "much is never sent":
        assert {0, 1} <= oldest


@pytest.mark.parametrize("level", [0, 5, -1])
def test_anchors_of_impossible_level_raise(scene, level):
    with pytest.raises(ConfigError, match=r"wanted 1\.\.4"):
        decoded(scene[1]).anchors(level)


@pytest.mark.parametrize("level", [0, -1])
def test_decoder_of_impossible_last_level_raises(level):
    with pytest.raises(ConfigError, match="wanted 1 or more"):
        ProgressiveDecoder(last_level=level)


def test_decoder_before_networks_says_that_more_is_needed():
    decoder = ProgressiveDecoder()
    assert decoder.header is None
    assert decoder.levels_ready == decoder.refinements_ready == 0
    for question in (lambda: decoder.head, lambda: decoder.anchors(1), decoder.newest_anchors):
        with pytest.raises(TruncatedError, match="feed more bytes"):
            question()
