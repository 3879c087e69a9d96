"""write_atomically: all or nothing, and one clear error."""

import errno
import os
from pathlib import Path

import pytest

from pcgs_engine.atomic_file import make_folder, output_errors, write_atomically
from pcgs_engine.errors import OutputError


def test_write_atomically_into_new_folder_creates_parents(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "x.bin"
    write_atomically(path, b"123")
    assert path.read_bytes() == b"123"
    assert [entry.name for entry in path.parent.iterdir()] == ["x.bin"]


def test_write_atomically_replaces_old_content(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"a long old content")
    write_atomically(path, lambda file: file.write(b"new"))
    assert path.read_bytes() == b"new"


def test_write_atomically_with_failing_writer_keeps_old_file_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"old")

    def fill_disk(file: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OutputError, match=r"x\.bin: no space left on device; free some disk space"):
        write_atomically(path, fill_disk)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_write_atomically_when_interrupted_leaves_no_rest(tmp_path: Path) -> None:
    def interrupt(file: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "x.bin", interrupt)
    assert list(tmp_path.iterdir()) == []


def test_write_atomically_onto_folder_is_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="give a file name, not a folder"):
        write_atomically(tmp_path, b"1")


def test_write_atomically_under_a_file_is_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="in the way"):
        write_atomically(tmp_path / "file" / "x.bin", b"1")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_output_errors_on_full_device_names_remedy() -> None:
    with (
        pytest.raises(OutputError, match="free some disk space"),
        output_errors(Path("/dev/full")),
        Path("/dev/full").open("wb", buffering=0) as file,
    ):
        file.write(b"1")


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="root may write anywhere")
def test_make_folder_without_permission_is_output_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="choose a folder you may write to"):
        make_folder(tmp_path / "x")
