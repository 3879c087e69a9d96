"""SplatFile: levels in order, files that grow, change, break, vanish and come back. No bpy used."""

import threading

import numpy as np
import pytest
from sample_files import TRAINED, copy_of_trained, flipped, level_end, other_version, wait_until

from addon.files import FileState, SplatFiles
from addon.files.byte_source import packed_digest
from pcgs_engine.codec import decode_file
from pcgs_engine.splats import to_splats
from pcgs_engine.splats.ply import write_ply


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def files(clock):
    registry = SplatFiles(clock)
    yield registry
    registry.clear()


def look_again(files, clock):
    clock.now += 2.0
    files.refresh()


def test_all_levels_become_ready_and_equal_the_decoder(files):
    file = files.open_path(TRAINED)
    assert file.wait(seconds=30)
    assert (file.state, file.message, file.levels, file.levels_ready) == (
        FileState.READY, "", 3, 3,
    )  # fmt: skip
    decoder = decode_file(TRAINED)
    for level in (1, 2, 3):
        expected = to_splats(
            decoder.anchors(level), decoder.head, decoder.config, decoder.camera_centres
        )
        assert np.array_equal(file.cloud(level).means, expected.means)
        assert np.array_equal(file.cloud(level).sh, expected.sh)
    assert file.info.levels[0].bytes == level_end(TRAINED, 1)
    assert file.progress == 1.0


def test_bounds_hold_all_centres(files):
    file = files.open_path(TRAINED)
    file.wait(seconds=30)
    bounds, means = file.bounds(2), file.cloud(2).means
    assert np.array_equal(bounds.low, means.min(axis=0))
    assert np.array_equal(bounds.high, means.max(axis=0))


def test_level_0_and_level_beyond_the_last(files):
    file = files.open_path(TRAINED)
    file.wait(seconds=30)
    assert file.cloud(0) is None
    assert file.shown(9).level == 3


def test_one_path_is_one_file_and_keys_tell_levels_apart(files):
    file = files.open_path(TRAINED)
    assert files.open_path(TRAINED) is file
    file.wait(seconds=30)
    assert len({file.shown(level).key for level in (1, 2, 3)}) == 3
    assert file.shown(2).key == files.open_path(TRAINED).shown(2).key


def test_growing_file_shows_each_level_as_it_arrives(files, clock, tmp_path):
    data, path = TRAINED.read_bytes(), tmp_path / "download.pcgs"
    path.write_bytes(b"")
    file = files.open_path(path)
    steps = [10, 400, *(level_end(TRAINED, level) for level in (1, 2)), len(data)]
    ready = []
    for begin, end in zip([0, *steps], steps, strict=False):
        with path.open("ab") as stream:
            stream.write(data[begin:end])
        look_again(files, clock)
        wait_until(lambda: not file.state.working)
        ready.append(file.levels_ready)
    assert ready == [0, 0, 1, 2, 3]
    assert file.state is FileState.READY


def test_growing_file_is_decoded_once(files, clock, tmp_path):
    data, path = TRAINED.read_bytes(), tmp_path / "download.pcgs"
    path.write_bytes(data[: level_end(TRAINED, 1)])
    file = files.open_path(path)
    wait_until(lambda: not file.state.working)
    first = file.cloud(1)
    with path.open("ab") as stream:
        stream.write(data[level_end(TRAINED, 1) :])
    look_again(files, clock)
    assert file.wait(seconds=30)
    assert file.cloud(1) is first


def test_truncated_file_shows_whole_levels_and_says_what_is_missing(files, tmp_path):
    path = tmp_path / "cut.pcgs"
    path.write_bytes(TRAINED.read_bytes()[: level_end(TRAINED, 2) + 100])
    file = files.open_path(path)
    wait_until(lambda: not file.state.working)
    assert (file.state, file.levels_ready, file.levels) == (FileState.PARTIAL, 2, 3)
    assert "2 of 3 levels" in file.message


@pytest.mark.parametrize("size", [0, 1, 63, 64, 300])
def test_file_cut_in_its_front_waits_without_a_level(files, tmp_path, size):
    path = tmp_path / "cut.pcgs"
    path.write_bytes(TRAINED.read_bytes()[:size])
    file = files.open_path(path)
    wait_until(lambda: not file.state.working)
    assert (file.state, file.levels_ready) == (FileState.PARTIAL, 0)
    assert file.message


def test_corrupt_second_level_keeps_the_first(files, tmp_path):
    path = tmp_path / "corrupt.pcgs"
    path.write_bytes(flipped(TRAINED.read_bytes(), level_end(TRAINED, 1) + 40))
    file = files.open_path(path)
    wait_until(lambda: not file.state.working)
    assert (file.state, file.levels_ready) == (FileState.DAMAGED, 1)
    assert "levels up to 1 are shown" in file.message
    assert file.cloud(3) is file.cloud(1)


@pytest.mark.parametrize(
    ("name", "spoil", "word"),
    [
        ("not_pcgs.pcgs", lambda data: b"PK\3\4" + data[4:], "not a .pcgs file"),
        ("version.pcgs", other_version, "install PCGS"),
        ("header.pcgs", lambda data: flipped(data, 20), ""),
        ("tail.pcgs", lambda data: data + b"more", ""),
        ("text.pcgs", lambda data: b"hello " * 100, ""),
        ("mesh.ply", lambda data: b"ply\nformat ascii 1.0\nelement vertex 0\nend_header\n", ""),
    ],
)
def test_file_that_is_no_good_is_damaged_with_a_message(files, tmp_path, name, spoil, word):
    path = tmp_path / name
    path.write_bytes(spoil(TRAINED.read_bytes()))
    file = files.open_path(path)
    wait_until(lambda: not file.state.working)
    assert file.state is FileState.DAMAGED
    assert word in file.message
    assert "Traceback" not in file.message


def test_missing_file_is_told_and_taken_up_when_it_comes(files, clock, tmp_path):
    path = tmp_path / "late.pcgs"
    file = files.open_path(path)
    wait_until(lambda: not file.state.working)
    assert file.state is FileState.MISSING
    assert "Find File" in file.message
    copy_of_trained(tmp_path, "late.pcgs")
    look_again(files, clock)
    assert file.wait(seconds=30)


def test_folder_instead_of_a_file_is_told(files, tmp_path):
    file = files.open_path(tmp_path)
    wait_until(lambda: not file.state.working)
    assert file.state is FileState.DAMAGED
    assert file.message


def test_file_removed_after_decoding_keeps_its_levels(files, clock, tmp_path):
    path = copy_of_trained(tmp_path)
    file = files.open_path(path)
    file.wait(seconds=30)
    path.unlink()
    look_again(files, clock)
    assert (file.state, file.levels_ready) == (FileState.MISSING, 3)


def test_replaced_file_is_decoded_anew_under_new_keys(files, clock, tmp_path):
    path = copy_of_trained(tmp_path)
    file = files.open_path(path)
    file.wait(seconds=30)
    key, version = file.shown(1).key, file.version
    other = tmp_path / "other"
    other.write_bytes((TRAINED.parent / "explicit.pcgs").read_bytes())
    other.replace(path)
    look_again(files, clock)
    assert file.wait(seconds=30)
    assert file.shown(1).key != key
    assert file.version > version
    assert len(file.cloud(1)) != 2400


def test_same_path_opened_after_it_was_forgotten_has_new_keys(files, tmp_path):
    path = copy_of_trained(tmp_path)
    file = files.open_path(path)
    file.wait(seconds=30)
    files.keep_only(set())
    again = files.open_path(path)
    again.wait(seconds=30)
    assert again is not file
    assert again.shown(1).key != file.shown(1).key


def test_packed_bytes_are_decoded_and_asked_for_once(files):
    data, asked = TRAINED.read_bytes(), []

    def give():
        asked.append(1)
        return data

    file = files.open_packed(packed_digest(data), give)
    assert files.open_packed(packed_digest(data), give) is file
    assert file.wait(seconds=30)
    assert len(asked) == 1
    assert file.path is None


def test_ply_is_one_level(files, tmp_path):
    decoder = decode_file(TRAINED)
    cloud = to_splats(decoder.anchors(1), decoder.head, decoder.config, decoder.camera_centres)
    path = tmp_path / "latest.ply"
    write_ply(path, cloud)
    file = files.open_path(path)
    assert file.wait(seconds=30)
    assert (file.levels, file.levels_ready, len(file.cloud(1))) == (1, 1, len(cloud))
    assert file.info is None


def test_cancel_keeps_ready_levels_and_reload_goes_on(files):
    file = files.open_path(TRAINED)
    file.wait(level=1, seconds=30)
    file.cancel()
    wait_until(lambda: not file.state.working)
    if file.state is FileState.CANCELLED:  # else it was faster than the test
        assert file.levels_ready >= 1
        first = file.cloud(1)
        file.reload()
        assert file.wait(seconds=30)
        assert file.cloud(1) is first
    assert file.levels_ready == 3


def test_cancel_while_waiting_for_a_slot_reads_nothing(files):
    for _ in range(2):
        files._slots.acquire()
    file = files.open_path(TRAINED)
    file.cancel()
    for _ in range(2):
        files._slots.release()
    wait_until(lambda: not file.state.working)
    assert (file.state, file.levels_ready) == (FileState.CANCELLED, 0)
    file.reload()
    assert file.wait(seconds=30)


def test_forgetting_files_leaves_no_thread(files):
    for _ in range(20):
        files.open_path(TRAINED)
        files.keep_only(set())
    wait_until(lambda: not any("pcgs decode" in thread.name for thread in threading.enumerate()))


def test_fault_of_the_decoder_is_a_message(files, monkeypatch):
    monkeypatch.setattr("addon.files.reading.to_splats", lambda *_: 1 / 0)
    file = files.open_path(TRAINED)
    wait_until(lambda: not file.state.working)
    assert file.state is FileState.DAMAGED
    assert "unexpected fault" in file.message


def test_out_of_memory_is_a_message(files, monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr("addon.files.reading.to_splats", fail)
    file = files.open_path(TRAINED)
    wait_until(lambda: not file.state.working)
    assert "not enough memory" in file.message


@pytest.mark.parametrize("until", range(0, 26_000, 1_777))
def test_every_truncation_ends_in_a_state_with_whole_levels(files, tmp_path, until):
    path = tmp_path / "cut.pcgs"
    path.write_bytes(TRAINED.read_bytes()[:until])
    file = files.open_path(path)
    wait_until(lambda: not file.state.working)
    assert file.state is FileState.PARTIAL
    assert file.levels_ready == sum(level_end(TRAINED, level) <= until for level in (1, 2, 3))
