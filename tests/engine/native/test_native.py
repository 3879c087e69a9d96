"""The native library: door, builder, and what happens without it."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from pcgs_engine.entropy import backend as backend_module
from pcgs_engine.entropy.backend import EntropyBackend, best_backend
from pcgs_engine.errors import DeviceError
from pcgs_engine.native import build, library
from pcgs_engine.native.targets import TARGETS, host_target
from pcgs_engine.native.threads import even_ranges, run_ranges, split_work, worker_count


@pytest.fixture
def no_library(tmp_path, monkeypatch):
    library.load_native.cache_clear()
    monkeypatch.setattr(library, "LIBRARY_FOLDER", tmp_path)
    yield tmp_path
    library.load_native.cache_clear()


def test_load_native_absent_library_says_what_to_do(no_library):
    with pytest.raises(DeviceError, match=r"pcgs_engine\.native\.build"):
        library.load_native()
    assert best_backend() is EntropyBackend.NUMPY


def test_load_native_damaged_library_raises(no_library):
    (no_library / host_target().file_name).write_bytes(b"\x7fELF nonsense")
    with pytest.raises(DeviceError, match="does not load"):
        library.load_native()


def test_load_native_unknown_platform_raises(monkeypatch):
    library.load_native.cache_clear()
    monkeypatch.setattr(library, "host_target", lambda: None)
    with pytest.raises(DeviceError, match="no native coder for this platform"):
        library.load_native()


def test_load_library_other_abi_raises(tmp_path, monkeypatch):
    path = built(tmp_path)
    monkeypatch.setattr(library, "ABI", 99)
    with pytest.raises(DeviceError, match="ABI 3, wanted 99"):
        library.load_library(path)


def test_build_target_host_compiles_and_loads(tmp_path):
    assert library.load_library(built(tmp_path)).pcgs_abi() == library.ABI


def test_unload_native_lets_go_of_the_file_and_it_loads_again(no_library):
    """Blender deletes it when the add-on is disabled; Windows forbids that while it is loaded."""
    library.unload_native()  # nothing is loaded yet
    path = built(no_library)
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("what is loaded is read from /proc")
    for _ in range(2):
        assert library.load_native().pcgs_abi() == library.ABI
        assert str(path) in maps.read_text()
        library.unload_native()
        assert str(path) not in maps.read_text()


def test_build_target_broken_source_raises(tmp_path, monkeypatch):
    if shutil.which("cc") is None:
        pytest.skip("no compiler here")
    broken = tmp_path / "broken.c"
    broken.write_text("int x = ;")
    monkeypatch.setattr(build, "SOURCES", (broken,))
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DeviceError, match="does not compile"):
        build.build_target(host_target(), tmp_path / "lib")


def test_build_target_foreign_without_ziglang_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda _: None)
    foreign = next(t for t in TARGETS if t != host_target())
    with pytest.raises(DeviceError, match="pip install ziglang"):
        build.build_target(foreign, tmp_path)


def test_best_backend_library_there_is_native(monkeypatch):
    monkeypatch.setattr(backend_module, "load_native", lambda: None)
    assert best_backend() is EntropyBackend.NATIVE


def built(folder):
    if shutil.which("cc") is None and build.importlib.util.find_spec("ziglang") is None:
        pytest.skip("no compiler here")
    return build.build_target(host_target(), folder)


@pytest.mark.parametrize(
    ("work", "workers"), [([5, 5, 0, 90], 2), ([100] * 9, 4), ([1], 8), ([0, 0], 3)]
)
def test_split_work_ranges_cover_items_once(work, workers):
    ranges = split_work(np.cumsum(work), 10, workers)
    assert [i for a, b in ranges for i in range(a, b)] == list(range(len(work)))
    assert len(ranges) <= workers


def test_split_work_small_work_stays_together():
    assert split_work(np.array([5, 9]), 10, 4) == [(0, 2)]
    assert even_ranges(19, 10, 4) == [(0, 19)]
    assert even_ranges(20, 10, 4) == [(0, 10), (10, 20)]


def test_run_ranges_failing_piece_raises():
    def work(begin, _):
        if begin == 2:
            raise ValueError("piece 2")

    with pytest.raises(ValueError, match="piece 2"):
        run_ranges(work, [(0, 2), (2, 4)])
    assert worker_count() >= 1
