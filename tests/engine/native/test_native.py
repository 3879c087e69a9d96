"""The native library: door, builder, and what happens without it."""

import shutil

import pytest

from pcgs_engine.entropy import backend as backend_module
from pcgs_engine.entropy.backend import EntropyBackend, best_backend
from pcgs_engine.errors import DeviceError
from pcgs_engine.native import build, library
from pcgs_engine.native.targets import TARGETS, host_target


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
    with pytest.raises(DeviceError, match="ABI 2, wanted 99"):
        library.load_library(path)


def test_build_target_host_compiles_and_loads(tmp_path):
    assert library.load_library(built(tmp_path)).pcgs_abi() == library.ABI


def test_build_target_broken_source_raises(tmp_path, monkeypatch):
    if shutil.which("cc") is None:
        pytest.skip("no compiler here")
    broken = tmp_path / "broken.c"
    broken.write_text("int x = ;")
    monkeypatch.setattr(build, "SOURCE", broken)
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
