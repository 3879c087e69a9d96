"""Cutting files: the results are valid, as long as allowed, and no byte is decoded for it."""

import io
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_chunks import METADATA, PNG, ancillary, sample_file, sample_scene

from pcgs_engine.codec.encoded_scene import EncodedScene
from pcgs_engine.codec.file_front import read_chunk
from pcgs_engine.codec.inspect import inspect_stream
from pcgs_engine.codec.truncate import truncate_to_bytes, truncate_to_level
from pcgs_engine.errors import (
    ChecksumError,
    ConfigError,
    LimitExceededError,
    TruncatedError,
)


@pytest.fixture(scope="module")
def data():
    return sample_file()


def info_of(data):
    """Reads and checks header, table and metadata."""
    return inspect_stream(io.BytesIO(data))


def chunk_count(data):
    return sum(part.parts for part in info_of(data).components)


def smallest_of_level_1(data):
    with pytest.raises(LimitExceededError) as caught:
        truncate_to_bytes(data, 1)
    return int(str(caught.value).split("needs ")[1].split()[0])


@pytest.mark.parametrize("level", [1, 2, 3])
def test_truncate_to_level_gives_valid_smaller_file(tmp_path, data, level):
    path = tmp_path / "scene.pcgs"
    path.write_bytes(data)
    cut, whole = truncate_to_level(data, level), info_of(data)
    assert cut == truncate_to_level(path, level) == truncate_to_level(cut, level)
    info = info_of(cut)
    assert info.complete
    assert [row.digest for row in info.levels] == [row.digest for row in whole.levels[:level]]
    assert info.metadata == {**METADATA, "levels": METADATA["levels"][:level]}
    assert info.thumbnail_bytes == len(PNG)
    assert len(cut) <= whole.levels[level - 1].bytes
    assert (cut == data) == (level == 3)


def test_truncate_to_level_of_prefix_needs_only_its_bytes(data):
    end = info_of(data).levels[1].bytes
    assert truncate_to_level(data[:end], 2) == truncate_to_level(data, 2)
    with pytest.raises(TruncatedError, match=f"wanted {end} for level 2"):
        truncate_to_level(data[: end - 1], 2)


@pytest.mark.parametrize("level", [0, 4, -1])
def test_truncate_to_level_impossible_level_raises(data, level):
    with pytest.raises(ConfigError, match=r"wanted 1\.\.3"):
        truncate_to_level(data, level)


def test_truncate_damaged_chunk_that_is_kept_raises(data):
    end = info_of(data).levels[0].bytes
    broken = data[: end - 1] + bytes([data[end - 1] ^ 1]) + data[end:]
    with pytest.raises(ChecksumError, match="OFFS of level 1"):
        truncate_to_level(broken, 3)
    with pytest.raises(ChecksumError, match="OFFS of level 1"):
        truncate_to_bytes(broken, len(data))


def test_truncate_damaged_chunk_that_is_dropped_is_never_read(data):
    end = info_of(data).levels[0].bytes
    assert truncate_to_level(data[:end] + bytes(len(data) - end), 1) == truncate_to_level(data, 1)


def test_truncate_to_bytes_every_budget_gives_the_longest_valid_file(data):
    sizes, count = [], 0
    for budget in range(len(truncate_to_level(data, 1)), len(data) + 1):
        cut = truncate_to_bytes(data, budget)
        assert len(cut) <= budget
        if sizes and len(cut) == sizes[-1]:
            continue  # the same file as before
        assert len(cut) == budget  # grown as soon as there was room
        assert info_of(cut).complete
        assert chunk_count(cut) > count
        sizes.append(len(cut))
        count = chunk_count(cut)
    assert len(sizes) == len(info_of(data).cut_points) == 1 + 4 + 3
    assert truncate_to_bytes(data, len(data)) == truncate_to_bytes(data, 10**12) == data


def test_truncate_to_bytes_every_smaller_budget_gives_a_valid_file_or_says_what_is_needed(data):
    least = smallest_of_level_1(data)
    for budget in range(least, len(truncate_to_level(data, 1))):
        cut = truncate_to_bytes(data, budget)
        assert len(cut) <= budget
        assert info_of(cut).complete
    with pytest.raises(LimitExceededError, match=f"level 1 needs {least} bytes"):
        truncate_to_bytes(data, least - 1)


def test_truncate_to_bytes_huge_metadata_does_not_cost_levels():
    source = sample_file(metadata={"notes": "x" * 100_000})
    info = info_of(truncate_to_bytes(source, 50_000))
    assert info.metadata == {}
    assert info.cut_points[-1].level == 3


@settings(max_examples=40, deadline=None)
@given(
    packages=st.lists(st.integers(0, 6), min_size=1, max_size=4),
    seed=st.integers(0, 1000),
    share=st.floats(0, 1),
)
def test_truncate_to_bytes_random_files_fit_and_are_prefixes(packages, seed, share):
    source = sample_file((0, *packages[1:]), seed=seed)
    whole = info_of(source)
    first = len(truncate_to_level(source, 1))
    budget = first + int(share * (len(source) - first))
    cut = truncate_to_bytes(source, budget)
    info = info_of(cut)
    last = info.cut_points[-1]
    assert len(cut) <= budget
    assert truncate_to_bytes(cut, budget) == cut
    place = [(c.level, c.part) for c in whole.cut_points].index((last.level, last.part))
    assert len(cut) <= whole.cut_points[place].end
    if place + 1 < len(whole.cut_points):  # one more would be too long
        longer = truncate_to_bytes(source, whole.cut_points[place + 1].end)
        assert len(longer) > budget


def test_truncate_to_bytes_at_any_prefix_length_keeps_what_the_prefix_has(data):
    for cut in info_of(data).cut_points:
        last = info_of(truncate_to_bytes(data, cut.end)).cut_points[-1]
        assert (last.level, last.part) >= (cut.level, cut.part)


def test_truncate_to_bytes_level_that_lost_packages_has_no_quality(data):
    budget = len(truncate_to_level(data, 2)) - 1
    info = info_of(truncate_to_bytes(data, budget))
    last = info.cut_points[-1]
    assert (last.level, last.part) == (2, 2)
    assert [row.psnr for row in info.levels] == [21.0, None]
    assert info.metadata["levels"][-1] == {"level": 2, "partial": True}
    whole = info_of(truncate_to_level(data, 2))
    assert [row.psnr for row in whole.levels] == [21.0, 22.0]


@pytest.mark.parametrize(
    "levels", [None, 3, [7], [{"psnr": 1.0}], [{"level": True}, {"level": 10**30}], {"a": 1}]
)
def test_truncate_odd_metadata_does_no_harm(levels):
    source = sample_file(metadata={"levels": levels})
    for budget in range(len(truncate_to_level(source, 1)), len(source), 97):
        cut = truncate_to_bytes(source, budget)
        assert len(cut) <= budget
        assert all(row.psnr is None for row in info_of(cut).levels)


def test_truncate_to_bytes_tight_budget_drops_thumbnail_then_metadata():
    source = sample_file(metadata={**METADATA, "notes": "x" * 500})
    full = len(truncate_to_level(source, 1))
    assert info_of(truncate_to_bytes(source, full)).thumbnail_bytes == len(PNG)
    without_picture = info_of(truncate_to_bytes(source, full - 1))
    assert without_picture.thumbnail_bytes == 0
    assert without_picture.metadata["notes"]
    least = smallest_of_level_1(source)
    assert least < full - len(PNG) - 500
    bare = truncate_to_bytes(source, least)
    assert len(bare) == least
    assert info_of(bare).metadata == {}
    assert info_of(bare).levels == tuple(
        replace(row, bytes=least, psnr=None, ssim=None)
        for row in info_of(truncate_to_level(source, 1)).levels
    )


def test_truncate_to_bytes_of_prefix_takes_what_is_there(data):
    places = info_of(data).cut_points
    for cut in places:
        result = info_of(truncate_to_bytes(data[: cut.end + 3], 10**9))
        assert (result.cut_points[-1].level, result.cut_points[-1].part) == (cut.level, cut.part)
    with pytest.raises(TruncatedError, match="for level 1"):
        truncate_to_bytes(data[: places[0].end - 1], 10**9)
    with pytest.raises(TruncatedError):
        truncate_to_bytes(data[:50], 10**9)


def test_truncate_reads_only_what_it_keeps(tmp_path, data, monkeypatch):
    furthest = []

    def remembering(stream, record):
        furthest.append(record.end)
        return read_chunk(stream, record)

    path = tmp_path / "scene.pcgs"
    path.write_bytes(data)
    monkeypatch.setattr("pcgs_engine.codec.truncate.read_chunk", remembering)
    truncate_to_bytes(path, len(truncate_to_level(data, 2)))
    assert max(furthest) == info_of(data).levels[1].bytes


def test_truncate_unknown_ancillary_chunks_stay_with_their_level():
    scene = sample_scene((0, 2))
    chunks = []
    for chunk in scene.chunks:
        chunks.append(chunk)
        if chunk.level:
            chunks.append(ancillary(chunk.level, chunk.digest))
    source = EncodedScene(chunks=tuple(chunks), levels=scene.levels).to_bytes({})
    cut = truncate_to_level(source, 1)
    own = [part for part in info_of(cut).components if part.level == 1]
    assert [(p.type, p.parts) for p in own if p.type == "xTRA"] == [("xTRA", 6)]
    assert truncate_to_level(source, 2) == source
