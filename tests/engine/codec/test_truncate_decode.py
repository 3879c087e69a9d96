"""A cut file decodes to what the same prefix of the whole file gives."""

import io

import numpy as np
import pytest
from synthetic_model import synthetic_model

from pcgs_engine.codec import ProgressiveDecoder, encode, truncate_to_bytes, truncate_to_level
from pcgs_engine.codec.inspect import inspect_stream


@pytest.fixture(scope="module")
def data():
    return encode(synthetic_model(60), {"title": "cut"})


def decoded(data):
    decoder = ProgressiveDecoder()
    decoder.feed(data)
    decoder.finish()
    return decoder


def test_truncated_file_decodes_like_the_prefix_at_every_cut_point(data):
    cuts = inspect_stream(io.BytesIO(data)).cut_points
    assert len(cuts) > 3  # packages, not levels only
    for cut in cuts:
        prefix = decoded(data[: cut.end])
        small = truncate_to_bytes(data[: cut.end], len(data))
        whole = decoded(small)
        assert whole.complete
        assert whole.digest(cut.level) == prefix.table.chunks[cut.chunks - 1].digest
        one, two = whole.newest_anchors(), prefix.newest_anchors()
        for name in ("positions", "features", "scaling", "offsets", "gaussian_mask"):
            assert np.array_equal(getattr(one, name), getattr(two, name))


@pytest.mark.parametrize("level", [1, 2, 3])
def test_truncate_to_level_keeps_the_digests(data, level):
    whole, small = decoded(data), decoded(truncate_to_level(data, level))
    assert small.complete
    assert small.header.levels == level
    assert [small.digest(s) for s in range(1, level + 1)] == [
        whole.digest(s) for s in range(1, level + 1)
    ]
