"""Looking into files and cutting them: nothing is decoded, results are valid files."""

import json

import pytest
from synthetic_model import synthetic_model

from pcgs_engine.codec import (
    ProgressiveDecoder,
    decode_file,
    encode,
    inspect_file,
    truncate_to_bytes,
    truncate_to_level,
)
from pcgs_engine.errors import BitstreamError, ConfigError, LimitExceededError, TruncatedError

METADATA = {
    "title": "test",
    "levels": [{"level": s, "psnr": 20.0 + s, "ssim": 0.5} for s in (1, 2, 3)],
}


@pytest.fixture(scope="module")
def data():
    return encode(synthetic_model(60), METADATA)


@pytest.fixture
def path(tmp_path, data):
    file = tmp_path / "scene.pcgs"
    file.write_bytes(data)
    return file


def test_inspect_file_lists_levels_components_and_quality(path, data):
    info = inspect_file(path)
    decoder = decode_file(path)
    assert info.format_version == "1.0"
    assert info.anchors == len(decoder.anchors(3))
    assert [row.psnr for row in info.levels] == [21.0, 22.0, 23.0]
    assert info.levels[-1].bytes == info.file_size == len(data)
    for row in info.levels:
        anchors = decoder.anchors(row.level)
        assert (row.anchors, row.splats) == (len(anchors), anchors.num_gaussians)
        assert row.digest == decoder.digest(row.level).hex()
    chunk_bytes = sum(part.bytes for part in info.components)
    assert 0.7 * len(data) < chunk_bytes < len(data)


def test_inspect_json_has_the_keys_scripts_rely_on(path):
    values = json.loads(json.dumps(inspect_file(path).to_json()))
    assert {"format_version", "anchors", "levels", "components"} <= set(values)
    assert {"level", "bytes", "anchors", "splats", "psnr", "digest"} <= set(values["levels"][0])
    assert set(values["components"][0]) == {"level", "type", "bytes"}


@pytest.mark.parametrize("levels", [None, 3, [7], [{"level": 1, "psnr": "x"}], [{"psnr": 1.0}]])
def test_inspect_file_odd_quality_counts_as_absent(tmp_path, levels):
    file = tmp_path / "scene.pcgs"
    file.write_bytes(encode(synthetic_model(20), {"levels": levels}))
    assert [row.psnr for row in inspect_file(file).levels] == [None] * 3


def test_inspect_file_reads_only_its_beginning(path, data):
    first = min(inspect_file(path).components, key=lambda part: part.type != "mETA")
    assert first.type == "mETA"
    path.write_bytes(data[: 64 + 3000])
    assert inspect_file(path).file_size == len(data)


@pytest.mark.parametrize("length", [0, 63, 100])
def test_inspect_file_cut_table_raises(path, data, length):
    path.write_bytes(data[:length])
    with pytest.raises(TruncatedError):
        inspect_file(path)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_truncate_to_level_gives_valid_smaller_file(path, data, level):
    whole, cut = decode_file(path), truncate_to_level(data, level)
    assert cut == truncate_to_level(path, level)
    decoder = ProgressiveDecoder()
    decoder.feed(cut)
    decoder.finish()
    assert decoder.complete
    assert decoder.header.levels == level
    assert decoder.digest(level) == whole.digest(level)
    assert [row["level"] for row in decoder.metadata["levels"]] == list(range(1, level + 1))
    assert truncate_to_level(cut, level) == cut
    if level == 3:
        assert cut == data


def test_truncate_to_level_of_prefix_needs_only_its_bytes(data):
    end = len(truncate_to_level(data, 3)) - 1
    assert truncate_to_level(data[:end], 2) == truncate_to_level(data, 2)
    with pytest.raises(TruncatedError):
        truncate_to_level(data[:end], 3)


@pytest.mark.parametrize("level", [0, 4])
def test_truncate_to_level_impossible_level_raises(data, level):
    with pytest.raises(ConfigError):
        truncate_to_level(data, level)


def test_truncate_to_level_damaged_chunk_raises(data):
    broken = bytearray(data)
    broken[len(truncate_to_level(data, 1)) - 1] ^= 1
    with pytest.raises(BitstreamError):
        truncate_to_level(bytes(broken), 3)


def test_truncate_to_bytes_takes_most_whole_levels_that_fit(data):
    sizes = [len(truncate_to_level(data, level)) for level in (1, 2, 3)]
    assert len(truncate_to_bytes(data, 10**9)) == sizes[2]
    assert len(truncate_to_bytes(data, sizes[2] - 1)) == sizes[1]
    assert len(truncate_to_bytes(data, sizes[0])) == sizes[0]
    with pytest.raises(LimitExceededError, match=f"level 1 needs {sizes[0]} bytes"):
        truncate_to_bytes(data, sizes[0] - 1)
