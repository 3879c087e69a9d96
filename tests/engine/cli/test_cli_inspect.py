"""inspect and export of hand-made files: packages, pictures, short files, full disks."""

import json
from pathlib import Path
from types import ModuleType

import pytest

from pcgs_engine.cli.main import main
from pcgs_engine.codec.inspect import inspect_file


@pytest.fixture
def handmade(tmp_path: Path, sample_chunks: ModuleType) -> Path:
    """Three levels, of which two have refinement packages, and a thumbnail."""
    path = tmp_path / "in" / "handmade.pcgs"
    path.parent.mkdir()
    path.write_bytes(sample_chunks.sample_file((0, 3, 2)))
    return path


def shown(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(["inspect", *argv]) == 0
    return capsys.readouterr().out


def test_inspect_json_has_the_promised_keys(
    handmade: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    info = json.loads(shown(capsys, str(handmade), "--json"))
    assert {"format_version", "anchors", "levels", "components"} <= set(info)
    keys = {"level", "bytes", "anchors", "splats", "psnr", "digest"}
    assert all(set(level) == keys for level in info["levels"])
    assert all(set(part) == {"level", "type", "bytes", "parts"} for part in info["components"])
    assert all(set(cut) == {"level", "part", "bytes"} for cut in info["cut_points"])
    size = handmade.stat().st_size
    assert info["cut_points"][-1] == {"level": 3, "part": 2, "bytes": size}
    assert (info["received"], info["complete"]) == (size, True)
    assert info["thumbnail_bytes"] == 108


def test_inspect_sums_packages_and_says_where_to_cut(
    handmade: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shown(capsys, str(handmade))
    rows = [line.split() for line in out.splitlines() if line.startswith("REFN")]
    assert [row[1:3] for row in rows] == [["2", "3"], ["3", "2"]]
    assert "can be cut at 8 places" in out
    assert "incomplete" not in out


@pytest.mark.parametrize(
    ("level", "part", "text"),
    [
        (1, 0, "usable: up to level 1"),
        (2, 0, "usable: up to level 2 without refinements"),
        (2, 1, "usable: up to level 2, 1 refinement package"),
        (3, 1, "usable: up to level 3, 1 refinement package"),
    ],
)
def test_inspect_short_file_says_what_is_missing_and_what_is_usable(
    level: int, part: int, text: str, handmade: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = handmade.read_bytes()
    cuts = inspect_file(handmade).cut_points
    end = next(cut.end for cut in cuts if (cut.level, cut.part) == (level, part))
    handmade.write_bytes(data[: end + 1])
    out = shown(capsys, str(handmade))
    assert f"{len(data) - end - 1} bytes are missing, {end + 1} are here; {text}\n" in out
    info = json.loads(shown(capsys, str(handmade), "--json"))
    assert (info["received"], info["complete"]) == (end + 1, False)


def test_inspect_file_with_foreign_tail_says_so(
    handmade: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handmade.write_bytes(handmade.read_bytes() + b"tail")
    assert "damaged: 4 foreign bytes follow the end" in shown(capsys, str(handmade))


def test_inspect_thumbnail_writes_the_picture(
    handmade: Path, tmp_path: Path, sample_chunks: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "picture.png"
    assert "PNG, 108 bytes" in shown(capsys, str(handmade), "--thumbnail", str(out))
    assert out.read_bytes() == sample_chunks.PNG


def test_inspect_thumbnail_of_file_without_one_is_bad_argument(
    handmade: Path, tmp_path: Path, sample_chunks: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    handmade.write_bytes(sample_chunks.sample_file(thumbnail=b""))
    assert main(["inspect", str(handmade), "--thumbnail", str(tmp_path / "x.png")]) == 2
    assert f"{handmade}: file has no thumbnail" in capsys.readouterr().err
    assert not (tmp_path / "x.png").exists()


def test_inspect_newer_major_version_says_which_is_needed(
    handmade: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(handmade.read_bytes())
    data[8:12] = b"\x03\0\0\0"
    handmade.write_bytes(data)
    assert main(["inspect", str(handmade)]) == 3
    assert "install PCGS with format 3.0 or newer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("less", "text"),
    [(0, "up to level 3, 2 refinement packages"), (1, "up to level 3, 1 refinement package")],
)
def test_export_by_size_says_what_was_kept(
    less: int, text: str, handmade: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, size = tmp_path / "small.pcgs", handmade.stat().st_size
    argv = ["export", str(handmade), "--max-bytes", str(size - less), "--out", str(out)]
    assert main([*argv, "--progress", "json"]) == 0
    messages = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    texts = [message["text"] for message in messages if message["type"] == "status"]
    assert texts == [f"{out.stat().st_size} bytes, {text}"]
    assert out.stat().st_size <= size - less
    assert inspect_file(out).complete


def test_export_onto_a_full_disk_leaves_the_old_file_and_no_rest(
    handmade: Path, full_disk: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.pcgs"
    out.write_bytes(b"old")
    assert main(["export", str(handmade), "--level", "2", "--out", str(out)]) == 3
    assert "free some disk space" in capsys.readouterr().err
    assert out.read_bytes() == b"old"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["in", "out.pcgs"]


def test_export_onto_itself_is_allowed(handmade: Path) -> None:
    assert main(["export", str(handmade), "--level", "1", "--out", str(handmade)]) == 0
    assert len(inspect_file(handmade).levels) == 1


def test_full_disk_fixture_lets_a_part_through(full_disk: None, tmp_path: Path) -> None:
    """The fixture must break in the middle of the content, as a disk does."""
    file = (tmp_path / "x").open("xb")
    with pytest.raises(OSError, match="No space left"):
        file.write(bytes(1000))
    file.close()
    assert 0 < (tmp_path / "x").stat().st_size < 1000
