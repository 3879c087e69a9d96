"""inspect, decode and export end to end on a synthetic file, with good and bad input."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pcgs_engine.cli.main import main
from pcgs_engine.codec import decode_file
from pcgs_engine.splats.ply import read_ply


def error_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The only error a person sees; a traceback is never part of it."""
    err = capsys.readouterr().err
    assert "Traceback" not in err
    lines = [line for line in err.splitlines() if line.startswith("pcgs: error: ")]
    assert len(lines) == 1
    return lines[0]


def run_process(*argv: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pcgs_engine", *argv],
        text=True,
        timeout=120,
        stderr=subprocess.PIPE,
        **options,  # type: ignore[call-overload]
    )


def test_inspect_json_states_quality_and_size(
    pcgs_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(pcgs_file), "--json"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert [level["psnr"] for level in info["levels"]] == [21.0, 22.0, 23.0]
    assert info["levels"][-1]["bytes"] == pcgs_file.stat().st_size


def test_inspect_prints_a_table(pcgs_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(pcgs_file)]) == 0
    out = capsys.readouterr().out
    assert "(synthetic)" in out
    assert "23.00" in out
    assert "FEAT" in out


def test_decode_writes_the_anchors_of_the_level(pcgs_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "anchors.npz"
    assert main(["decode", str(pcgs_file), "--level", "2", "--out", str(out)]) == 0
    expected = decode_file(pcgs_file).anchors(2)
    with np.load(out) as arrays:
        assert int(arrays["level"]) == 2
        for name in ("positions", "features", "scaling", "offsets", "gaussian_mask"):
            np.testing.assert_array_equal(arrays[name], getattr(expected, name))


def test_decode_digest_is_the_one_inspect_shows(
    pcgs_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(pcgs_file), "--json"]) == 0
    levels = json.loads(capsys.readouterr().out)["levels"]
    for level in levels:
        assert main(["decode", str(pcgs_file), "--level", str(level["level"]), "--digest"]) == 0
        assert capsys.readouterr().out.strip() == level["digest"]


def test_decode_with_json_progress_ends_in_done(
    pcgs_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.npz"
    assert main(["decode", str(pcgs_file), "--out", str(out), "--progress", "json"]) == 0
    messages = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [message["type"] for message in messages] == ["started", "saved", "done"]
    assert messages[-1]["result"] == str(out)


def test_export_ply_has_the_splats_of_the_level(pcgs_file: Path, tmp_path: Path) -> None:
    sizes = []
    for level in (1, 3):
        out = tmp_path / f"{level}.ply"
        assert main(["export", str(pcgs_file), "--level", str(level), "--out", str(out)]) == 0
        sizes.append(len(read_ply(out)))
    assert 0 < sizes[0] < sizes[1]


def test_export_pcgs_by_level_decodes_to_the_same_digest(pcgs_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.pcgs"
    assert main(["export", str(pcgs_file), "--level", "2", "--out", str(out)]) == 0
    small = decode_file(out)
    assert small.complete
    assert small.levels_ready == 2
    assert small.digest(2) == decode_file(pcgs_file).digest(2)


def test_export_pcgs_by_size_fits(pcgs_file: Path, tmp_path: Path) -> None:
    out, limit = tmp_path / "small.pcgs", pcgs_file.stat().st_size - 1
    assert main(["export", str(pcgs_file), "--max-bytes", str(limit), "--out", str(out)]) == 0
    assert out.stat().st_size <= limit
    small = decode_file(out)
    assert small.complete
    assert small.levels_ready in (2, 3)


@pytest.mark.parametrize(
    ("argv", "code", "part"),
    [
        (["export", "{file}", "--max-bytes", "10", "--out", "{out}.pcgs"], 3, "level 1 needs"),
        (["export", "{file}", "--level", "4", "--out", "{out}.pcgs"], 2, "wanted 1..3"),
        (["export", "{file}", "--level", "4", "--out", "{out}.ply"], 2, "wanted 1..3"),
        (["export", "{file}", "--out", "{out}.pcgs"], 2, "needs --level or --max-bytes"),
        (["export", "{file}", "--out", "{out}.obj"], 2, "ends in .ply or .pcgs"),
        (["decode", "{file}", "--out", "{file}/x.npz"], 3, "in the way"),
        (["decode", "{file}", "--out", "{folder}"], 3, "not a folder"),
        (["decode", "{folder}/none.pcgs", "--digest"], 3, "no such file"),
        (["inspect", "{folder}/none.pcgs"], 3, "no such file"),
        (["inspect", "{folder}"], 3, "is a directory"),
    ],
)
def test_wrong_use_names_file_and_remedy(
    argv: list[str],
    code: int,
    part: str,
    pcgs_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = {"file": pcgs_file, "out": tmp_path / "x", "folder": tmp_path}
    assert main([word.format(**places) for word in argv]) == code
    assert part in error_line(capsys)


@pytest.mark.parametrize("command", ["inspect", "decode", "export"])
@pytest.mark.parametrize("damage", ["empty", "cut", "foreign", "flipped"])
def test_damaged_file_is_bad_input(
    command: str,
    damage: str,
    pcgs_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = bytearray(pcgs_file.read_bytes())
    data[90] ^= 0xFF  # inside the chunk table
    content = {
        "empty": b"",
        "cut": pcgs_file.read_bytes()[:100],
        "foreign": b"ply\nformat ascii 1.0\n" * 100,
        "flipped": bytes(data),
    }[damage]
    bad = tmp_path / "bad.pcgs"
    bad.write_bytes(content)
    rest = {
        "inspect": [],
        "decode": ["--digest"],
        "export": ["--level", "1", "--out", str(tmp_path / "x.pcgs")],
    }[command]
    assert main([command, str(bad), *rest]) == 3
    assert str(bad) in error_line(capsys)
    assert not (tmp_path / "x.pcgs").exists()


def test_full_disk_is_output_error_and_leaves_nothing(
    pcgs_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def no_space(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_space)
    assert main(["decode", str(pcgs_file), "--out", str(tmp_path / "a.npz")]) == 3
    assert "free some disk space" in error_line(capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no resource limits on Windows")
def test_file_size_limit_of_the_system_is_output_error(pcgs_file: Path, tmp_path: Path) -> None:
    program = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "from pcgs_engine.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    out = str(tmp_path / "a.npz")
    done = subprocess.run(
        [sys.executable, "-c", program, "decode", str(pcgs_file), "--out", out],
        text=True,
        capture_output=True,
    )
    assert done.returncode == 3, done.stderr
    assert "file too large" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_full_standard_output_is_output_error(pcgs_file: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = run_process("inspect", str(pcgs_file), stdout=full)
    assert done.returncode == 3
    assert "standard output" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break differently on Windows")
def test_closed_standard_output_is_silent(pcgs_file: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = run_process("inspect", str(pcgs_file), stdout=write_end)
    finally:
        os.close(write_end)
    assert done.stderr == ""
    assert done.returncode == 0


def test_prints_of_libraries_and_children_stay_off_standard_output() -> None:
    program = (
        "import os, subprocess, sys\n"
        "from pcgs_engine.cli.standard_output import claimed_stdout\n"
        "with claimed_stdout() as stdout:\n"
        "    print('a library')\n"
        "    subprocess.run([sys.executable, '-c', 'print(\"a child\")'])\n"
        "    os.write(1, b'native code')\n"
        "    stdout.write('ours;')\n"
        "print('restored')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True)
    assert done.stdout.split() == ["ours;restored"], done.stderr
    assert all(part in done.stderr for part in ("a library", "a child", "native code"))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_file_name_that_is_not_text_is_shown_escaped(tmp_path: Path) -> None:
    name = os.fsdecode(bytes(tmp_path) + b"/\xff.pcgs")
    done = run_process("inspect", name, stdout=subprocess.PIPE)
    assert done.returncode == 3
    assert r"\udcff.pcgs: cannot be read" in done.stderr


def test_decode_and_export_run_with_training_packages_blocked(
    pcgs_file: Path, tmp_path: Path
) -> None:
    program = (
        "import sys\n"
        "blocked = 'torch numba scipy cv2 PIL gsplat torchac safetensors'\n"
        "sys.modules.update(dict.fromkeys(blocked.split()))\n"
        "from pcgs_engine.cli.main import main\n"
        "file, out = sys.argv[1:]\n"
        "assert main(['inspect', file]) == 0\n"
        "assert main(['decode', file, '--digest']) == 0\n"
        "assert main(['export', file, '--out', out]) == 0\n"
        "sys.exit(main(['train', 'nowhere', '--out', 'nowhere']))\n"
    )
    out = str(tmp_path / "x.ply")
    done = subprocess.run(
        [sys.executable, "-c", program, str(pcgs_file), out], text=True, capture_output=True
    )
    assert done.returncode == 4, done.stderr
    assert "pip install '.[train]'" in done.stderr


@pytest.fixture
def cut_file(pcgs_file: Path, tmp_path: Path) -> Path:
    """The synthetic file without its last byte: level 3 lacks a refinement package."""
    path = tmp_path / "cut.pcgs"
    path.write_bytes(pcgs_file.read_bytes()[:-1])
    return path


def test_file_that_ends_early_is_warned_of_and_gives_its_levels(
    cut_file: Path, pcgs_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["decode", str(cut_file), "--digest"]) == 0
    out, err = capsys.readouterr()
    assert out.strip() == decode_file(pcgs_file).digest(2).hex()
    size = cut_file.stat().st_size
    assert f"{cut_file}: file ends at byte {size}, level 3 needs {size + 1}" in err
    assert "2 of 3 levels are usable" in err


def test_file_that_ends_early_is_exported_as_far_as_it_goes(
    cut_file: Path, pcgs_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, whole = tmp_path / "cut.ply", tmp_path / "whole.ply"
    assert main(["export", str(cut_file), "--out", str(out)]) == 0
    assert "level 3 needs" in capsys.readouterr().err
    assert main(["export", str(pcgs_file), "--level", "2", "--out", str(whole)]) == 0
    assert out.read_bytes() == whole.read_bytes()


def test_level_that_a_file_ends_before_is_bad_input(
    cut_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["decode", str(cut_file), "--level", "3", "--digest"]) == 3
    assert "level 3 is not decoded, 2 of 3 are" in error_line(capsys)
    assert main(["decode", str(cut_file), "--level", "2", "--digest"]) == 0
    assert "warning" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("version", "remedy"),
    [
        ((1, 7), "install PCGS with format 1.7 or newer"),
        ((9, 3), "install PCGS with format 9.3 or newer"),
        ((0, 9), "encode the scene again or install PCGS with format 0.9"),
        ((0, 1), "encode the scene again or install PCGS with format 0.1"),
    ],
)
@pytest.mark.parametrize("command", ["inspect", "decode"])
def test_file_of_another_format_version_names_both_and_what_to_do(
    command: str,
    version: tuple[int, int],
    remedy: str,
    pcgs_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = bytearray(pcgs_file.read_bytes())
    data[8:12] = bytes([version[0], 0, version[1], 0])  # the checksum no longer fits: no matter
    path = tmp_path / "other.pcgs"
    path.write_bytes(data)
    argv = [command, str(path), *(["--digest"] if command == "decode" else [])]
    assert main(argv) == 3
    line = error_line(capsys)
    assert f"written by format {version[0]}.{version[1]}, this reader reads 1.0" in line
    assert remedy in line
