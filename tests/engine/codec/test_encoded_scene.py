"""Laying out a file: what a reader would refuse is never written."""

import io
from dataclasses import replace

import pytest
from sample_chunks import JPEG, METADATA, PNG, ancillary, sample_scene

from pcgs_engine.bitstream import DecodeLimits
from pcgs_engine.codec.encoded_scene import EncodedScene
from pcgs_engine.codec.file_front import read_chunk, read_front
from pcgs_engine.errors import ConfigError, MalformedError


def front_of(data):
    return read_front(io.BytesIO(data), DecodeLimits())


def test_to_bytes_every_chunk_is_found_where_the_table_says():
    scene = sample_scene()
    data = scene.to_bytes(METADATA, PNG)
    front, stream = front_of(data), io.BytesIO(data)
    assert front.header.file_size == front.received == len(data)
    records = front.table.chunks
    assert [r.code for r in records[:2]] == [b"mETA", b"tHMB"]
    assert read_chunk(stream, records[1]) == PNG
    for record, chunk in zip(records[2:], scene.chunks, strict=True):
        assert record.offset % 8 == 0
        assert (record.code, record.level, record.part) == (chunk.code, chunk.level, chunk.part)
        assert (record.count, record.digest) == (chunk.count, chunk.digest)
        assert read_chunk(stream, record) == chunk.data


def test_to_bytes_levels_end_with_their_last_chunk_and_have_its_digest():
    table = front_of(sample_scene().to_bytes(METADATA)).table
    for record in table.levels:
        last = [chunk for chunk in table.chunks if chunk.level == record.level][-1]
        assert (record.end, record.digest) == (last.end, last.digest)
    assert len({record.digest for record in table.levels}) == 3


def test_to_bytes_digest_of_a_chunk_depends_on_all_before_it():
    one, two = sample_scene(), sample_scene(seed=1)
    first, second = (front_of(s.to_bytes({})).table.levels for s in (one, two))
    assert all(a.digest != b.digest for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("thumbnail", [PNG, JPEG])
def test_to_bytes_with_thumbnail_differs_only_in_front(thumbnail):
    scene = sample_scene()
    plain, shown = scene.to_bytes({}), scene.to_bytes({}, thumbnail)
    tail = sum(len(chunk.data) for chunk in scene.chunks[-3:])
    assert plain[-tail:] == shown[-tail:]
    assert len(shown) > len(plain)


def test_to_bytes_impossible_thumbnail_raises():
    with pytest.raises(MalformedError, match="wanted JPEG or PNG"):
        sample_scene().to_bytes({}, b"GIF89a")
    with pytest.raises(ConfigError, match="make it smaller"):
        sample_scene().to_bytes({}, PNG + bytes(65536))


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c[1:],
        lambda c: c[:-1] + c[-1:] * 2,
        lambda c: (*c[:-2], c[-1], c[-2]),
        lambda c: (*c[:-1], replace(c[-1], part=7)),
        lambda c: (*c[:-1], replace(c[-1], level=1)),
        lambda c: (replace(c[0], digest=b"12345678"), *c[1:]),
        lambda c: (*c, ancillary(3)),  # a digest that breaks the chain
    ],
    ids=["missing", "twice", "swapped", "gap", "level", "digest", "chain"],
)
def test_to_bytes_chunks_out_of_order_raise(change):
    scene = sample_scene()
    with pytest.raises(MalformedError):
        EncodedScene(chunks=change(scene.chunks), levels=scene.levels).to_bytes({})


def test_to_bytes_unknown_ancillary_chunks_are_kept_anywhere():
    scene = sample_scene()
    chunks = (ancillary(0), *scene.chunks, ancillary(3, scene.chunks[-1].digest))
    table = front_of(EncodedScene(chunks=chunks, levels=scene.levels).to_bytes({})).table
    assert [c.code for c in table.chunks].count(b"xTRA") == 2
    assert table.levels[-1].end == table.end
