"""Looking into files: header, table and metadata are read, and nothing else."""

import io
import json

import pytest
from sample_chunks import JPEG, METADATA, PNG, sample_file, sample_scene

from pcgs_engine.codec.inspect import inspect_file, inspect_stream, read_thumbnail
from pcgs_engine.errors import ChecksumError, ConfigError, MalformedError, TruncatedError


class CountingFile(io.BytesIO):
    """Remembers the furthest byte and the sum of all bytes read."""

    def __init__(self, data):
        super().__init__(data)
        self.total = self.furthest = 0

    def read(self, size=-1):
        data = super().read(size)
        self.total += len(data)
        self.furthest = max(self.furthest, self.tell())
        return data


@pytest.fixture(scope="module")
def data():
    return sample_file()


@pytest.fixture
def path(tmp_path, data):
    file = tmp_path / "scene.pcgs"
    file.write_bytes(data)
    return file


def test_inspect_file_lists_levels_and_quality(path, data):
    info = inspect_file(path)
    assert info.format_version == "1.0"
    assert info.anchors == 30
    assert info.metadata == METADATA
    assert [(row.level, row.anchors, row.splats) for row in info.levels] == [
        (1, 10, 25),
        (2, 20, 50),
        (3, 30, 75),
    ]
    assert [row.psnr for row in info.levels] == [21.0, 22.0, 23.0]
    assert info.levels[-1].bytes == info.file_size == info.received == len(data)
    assert info.complete
    assert info.thumbnail_bytes == len(PNG)
    assert info.levels[-1].digest == sample_scene().chunks[-1].digest.hex()


def test_inspect_file_sums_components_by_type(path):
    scene = sample_scene()
    rows = {(p.level, p.type): (p.bytes, p.parts) for p in inspect_file(path).components}
    for level, parts in ((2, 3), (3, 2)):
        sizes = [len(c.data) for c in scene.chunks if (c.level, c.code) == (level, b"REFN")]
        assert rows[level, "REFN"] == (sum(sizes), parts)
    assert sum(size for size, _ in rows.values()) == sum(len(c.data) for c in scene.chunks) + len(
        PNG
    ) + len(json.dumps(METADATA, separators=(",", ":")))
    assert all(parts == 1 for (_, kind), (_, parts) in rows.items() if kind != "REFN")


def test_inspect_file_level_bytes_are_the_last_cut_point_of_the_level(path):
    info = inspect_file(path)
    ends = {cut.level: cut.end for cut in info.cut_points}
    assert [row.bytes for row in info.levels] == [ends[s] for s in (1, 2, 3)]
    assert len(info.cut_points) == 1 + 4 + 3


def test_inspect_stream_reads_only_front_and_metadata():
    stream = CountingFile(sample_file(mean_size=4000))
    info = inspect_stream(stream)
    table = 64 + 3 * 16 + sum(p.parts for p in info.components) * 32 + 8
    assert info.metadata == METADATA
    assert stream.total == table + info.components[0].bytes
    assert stream.furthest == table + info.components[0].bytes


@pytest.mark.parametrize("levels", [None, 3, [7], [{"level": 1, "psnr": "x"}], [{"psnr": 1.0}]])
def test_inspect_file_odd_quality_counts_as_absent(tmp_path, levels):
    file = tmp_path / "scene.pcgs"
    file.write_bytes(sample_file(metadata={"levels": levels}))
    assert [row.psnr for row in inspect_file(file).levels] == [None] * 3


def test_inspect_file_every_prefix_that_holds_the_table_says_what_is_there(path, data):
    info = inspect_file(path)
    front = 64 + 3 * 16 + sum(p.parts for p in info.components) * 32 + 8
    for length in range(len(data)):
        stream = io.BytesIO(data[:length])
        if length < front:
            with pytest.raises(TruncatedError):
                inspect_stream(stream)
            continue
        found = inspect_stream(stream)
        assert (found.received, found.complete, found.file_size) == (length, False, len(data))
        assert found.metadata == (METADATA if length >= front + info.components[0].bytes else {})
        whole = [cut for cut in info.cut_points if cut.end <= length]
        assert found.reached == (whole[-1] if whole else None)


def test_inspect_file_foreign_tail_is_not_complete(path, data):
    path.write_bytes(data + b"!")
    assert not inspect_file(path).complete


def test_inspect_file_damaged_metadata_raises(data):
    place = data.index(b"sample")
    with pytest.raises(ChecksumError, match="mETA"):
        inspect_stream(io.BytesIO(data[:place] + b"S" + data[place + 1 :]))


@pytest.mark.parametrize("thumbnail", [PNG, JPEG])
def test_read_thumbnail_returns_its_bytes(tmp_path, thumbnail):
    file = tmp_path / "scene.pcgs"
    file.write_bytes(sample_file(thumbnail=thumbnail))
    assert read_thumbnail(file) == thumbnail


def test_read_thumbnail_absent_or_cut_off_or_foreign_raises(tmp_path, data):
    file = tmp_path / "scene.pcgs"
    file.write_bytes(sample_file(thumbnail=b""))
    with pytest.raises(ConfigError, match="no thumbnail"):
        read_thumbnail(file)
    file.write_bytes(data[: data.index(PNG) + len(PNG) - 1])
    with pytest.raises(TruncatedError, match="before its thumbnail"):
        read_thumbnail(file)
    file.write_bytes(data.replace(PNG, JPEG + bytes(len(PNG) - len(JPEG))))
    with pytest.raises(ChecksumError):
        read_thumbnail(file)


def test_read_thumbnail_of_other_kind_raises(tmp_path, monkeypatch):
    monkeypatch.setattr("pcgs_engine.codec.encoded_scene.image_kind", lambda data: None)
    file = tmp_path / "scene.pcgs"
    file.write_bytes(sample_file(thumbnail=b"GIF89a"))
    with pytest.raises(MalformedError, match="wanted JPEG or PNG"):
        read_thumbnail(file)
