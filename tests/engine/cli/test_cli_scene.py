"""train, encode, eval and render end to end on a scene of a few pixels."""

import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("numba")

import torch
from PIL import Image

from pcgs_engine.cli.main import main
from pcgs_engine.cli.render import png_name
from pcgs_engine.codec import decode_file, inspect_file
from pcgs_engine.splats.ply import read_ply
from pcgs_engine.training.trainer import Trainer

CPU = ["--device", "cpu", "--threads", "1"]
TINY = """\
[model]
feature_dim = 10
num_offsets = 2
head_hidden = 8
sh_degree = 0
[model.hash_grid]
resolutions_3d = [6, 10]
log2_table_3d = 6
resolutions_2d = [12]
log2_table_2d = 6
[training]
iterations = 8
max_size = 24
eval_every = 1.0
[training.pruning]
moments = []
"""


@pytest.fixture(autouse=True)
def hasty_mask_nets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fitting one takes seconds whatever the scene."""
    monkeypatch.setattr("pcgs_engine.levels.fit_mask_net.STEPS", 20)


@pytest.fixture(scope="module")
def tiny_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="module")
def trained_run(
    tmp_path_factory: pytest.TempPathFactory, scene_folder: Path, tiny_config: Path
) -> Path:
    run = tmp_path_factory.mktemp("trained") / "run"
    argv = ["train", str(scene_folder), "--out", str(run), "--config", str(tiny_config), *CPU]
    assert main(argv) == 0
    return run


def messages(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_train_with_missing_scene_ends_in_an_error_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["train", str(tmp_path / "none"), "--out", str(tmp_path / "run"), *CPU]
    assert main([*argv, "--progress", "json"]) == 3
    found = messages(capsys)
    assert [found[0]["type"], found[-1]["type"]] == ["started", "error"]
    assert found[-1]["error"] == "SceneError"
    assert found[-1]["exit_code"] == 3


def test_train_with_preview_seconds_shows_the_start(
    scene_folder: Path, tiny_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["train", str(scene_folder), "--out", str(tmp_path / "run"), "--preview-seconds", "60"]
    assert main([*argv, "--config", str(tiny_config), *CPU, "--progress", "json"]) == 0
    previews = [m["iteration"] for m in messages(capsys) if m["type"] == "preview"]
    assert previews == [1, 8]


def test_train_into_a_file_is_output_error(
    scene_folder: Path, tiny_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").write_text("in the way")
    argv = ["train", str(scene_folder), "--out", str(tmp_path / "run")]
    assert main([*argv, "--config", str(tiny_config), *CPU]) == 3
    assert "in the way" in capsys.readouterr().err


def test_train_into_an_old_run_without_resume_is_refused(
    trained_run: Path, scene_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(scene_folder), "--out", str(trained_run), *CPU]) == 2
    assert "--resume" in capsys.readouterr().err


def test_train_resumed_with_other_settings_is_refused(
    trained_run: Path, scene_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["train", str(scene_folder), "--out", str(trained_run), "--resume", "--levels", "2"]
    assert main([*argv, *CPU]) == 3
    assert "other settings" in capsys.readouterr().err


def test_encode_then_eval_agree_on_bytes_and_quality(
    trained_run: Path, scene_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "scene.pcgs"
    assert main(["encode", str(trained_run), "--out", str(out), *CPU]) == 0
    capsys.readouterr()
    argv = ["eval", str(out), "--scene", str(scene_folder), "--json", *CPU]
    assert main(argv) == 0
    judged = json.loads(capsys.readouterr().out)["levels"]
    stated = inspect_file(out).levels
    assert [set(level) for level in judged] == [{"level", "bytes", "psnr", "ssim", "splats"}] * 3
    assert [level["bytes"] for level in judged] == [level.bytes for level in stated]
    for level, entry in zip(stated, judged, strict=True):
        assert entry["psnr"] == pytest.approx(level.psnr, abs=1e-4)
        assert entry["ssim"] == pytest.approx(level.ssim, abs=1e-4)


def test_encode_json_reports_every_level_and_ends_in_done(
    trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "scene.pcgs"
    argv = ["encode", str(trained_run), "--out", str(out), "--no-quality", "--progress", "json"]
    assert main(argv) == 0
    found = messages(capsys)
    levels = [message for message in found if message["type"] == "level"]
    assert [level["level"] for level in levels] == [1, 2, 3]
    assert levels[0]["psnr"] is None
    assert found[-1]["type"] == "done"


@pytest.mark.parametrize("options", [[], ["--no-quality"]])
def test_encode_ranks_by_sensitivity_and_draws_a_thumbnail(
    options: list[str], trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "scene.pcgs"
    assert main(["encode", str(trained_run), "--out", str(out), *options, *CPU]) == 0
    assert "measuring sensitivity on 7 views" in capsys.readouterr().err
    with Image.open(io.BytesIO(decode_file(out).thumbnail)) as image:
        assert image.format == "JPEG"
        assert image.size == (24, 16)
    assert (inspect_file(out).levels[-1].psnr is None) == bool(options)


def test_encode_makes_level_1_as_small_as_asked(
    trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every size of level 1 gives the same later levels."""
    levels = {}
    whole = level_1_part(trained_run, tmp_path / "whole.pcgs", 1.0)
    assert "come with level 2" not in capsys.readouterr().err
    for wanted in (whole - 0.03, whole - 0.08):
        out = tmp_path / f"{wanted}.pcgs"
        part = level_1_part(trained_run, out, wanted)
        assert wanted - 0.04 < part <= wanted  # 1 % where a file has 200 kB
        assert "anchors of level 1 come with level 2" in capsys.readouterr().err
        levels[wanted] = [level.anchors for level in inspect_file(out).levels]
    levels[1.0] = [level.anchors for level in inspect_file(tmp_path / "whole.pcgs").levels]
    firsts = [levels[key][0] for key in sorted(levels)]
    assert firsts == sorted(set(firsts))
    assert len({tuple(found[1:]) for found in levels.values()}) == 1


def test_encode_says_when_level_1_cannot_be_that_small(
    trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = level_1_part(trained_run, tmp_path / "x.pcgs", 0.05)
    told = capsys.readouterr().err
    assert f"level 1 takes {part:.0%} of the file, wanted 5%" in told
    assert "more would spoil its pictures" in told


def level_1_part(run: Path, out: Path, wanted: float) -> float:
    argv = ["encode", str(run), "--out", str(out), "--first-level", str(wanted), "--no-quality"]
    assert main([*argv, *CPU]) == 0
    found = inspect_file(out).levels
    return found[0].bytes / found[-1].bytes


@pytest.mark.parametrize("part", ["1.1", "-0.1", "nan", "half"])
def test_encode_refuses_a_part_that_is_none(
    part: str, trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["encode", str(trained_run), "--out", str(tmp_path / "x.pcgs"), f"--first-level={part}"]
    assert main(argv) == 2
    assert "0..1" in capsys.readouterr().err


def test_encode_without_the_scene_has_no_thumbnail(trained_run: Path, tmp_path: Path) -> None:
    run, out = moved_run(trained_run, tmp_path), tmp_path / "scene.pcgs"
    assert main(["encode", str(run), "--out", str(out), *CPU]) == 0
    decoder = decode_file(out)
    assert decoder.thumbnail == b""
    assert decoder.levels_ready == 3


def moved_run(trained_run: Path, folder: Path) -> Path:
    """A run whose image set is gone."""
    run = folder / "moved"
    shutil.copytree(trained_run, run)
    settings = json.loads((run / "config.json").read_text())
    settings["scene"] = str(folder / "gone")
    (run / "config.json").write_text(json.dumps(settings))
    return run


def test_encode_backends_write_the_same_bytes(trained_run: Path, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("default.pcgs", "numpy.pcgs")]
    assert main(["encode", str(trained_run), "--out", str(files[0]), "--no-quality"]) == 0
    argv = ["encode", str(trained_run), "--out", str(files[1]), "--no-quality"]
    assert main([*argv, "--entropy-backend", "numpy"]) == 0
    assert files[0].read_bytes() == files[1].read_bytes()


def test_encode_of_vanished_scene_warns_and_goes_on(
    trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = moved_run(trained_run, tmp_path), tmp_path / "scene.pcgs"
    assert main(["encode", str(run), "--out", str(out), *CPU]) == 0
    assert "quality is not measured" in capsys.readouterr().err
    assert inspect_file(out).levels[0].psnr is None
    argv = ["encode", str(run), "--out", str(out), "--scene", str(tmp_path / "gone"), *CPU]
    assert main(argv) == 3


def test_encode_of_no_run_names_what_was_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["encode", str(tmp_path), "--out", str(tmp_path / "x.pcgs"), "--no-quality"]
    assert main(argv) == 3
    assert "pcgs train --out" in capsys.readouterr().err


def test_render_writes_one_picture_a_view(
    pcgs_file: Path, scene_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "pictures"
    argv = ["render", str(pcgs_file), "--scene", str(scene_folder), "--level", "1"]
    assert main([*argv, "--split", "train", "--out", str(out), *CPU]) == 0
    files = sorted(path.name for path in out.iterdir())
    assert files == [f"{index}.png" for index in range(1, 8)]
    with Image.open(out / files[0]) as image:
        assert image.size == (24, 16)
    assert "does not tell its training size" in capsys.readouterr().err


def test_eval_on_its_own_pictures_finds_them_equal(
    pcgs_file: Path, scene_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = tmp_path / "scene"
    shutil.copytree(scene_folder, scene)
    argv = [str(pcgs_file), "--scene", str(scene), *CPU]
    assert main(["render", *argv, "--level", "2", "--out", str(tmp_path / "pictures")]) == 0
    for name in ("0.png", "8.png"):  # the held-out views
        shutil.copy(tmp_path / "pictures" / name, scene / name)
    capsys.readouterr()
    assert main(["eval", *argv, "--json"]) == 0
    psnr = [level["psnr"] for level in json.loads(capsys.readouterr().out)["levels"]]
    assert psnr[1] > 55  # what rounding to 8 bits leaves: 58.9 dB for even errors
    assert psnr[0] < 50
    assert psnr[2] < 50


def test_eval_of_foreign_scene_is_scene_error(
    pcgs_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", str(pcgs_file), "--scene", str(tmp_path), *CPU]) == 3
    assert "pcgs: error:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("view", "file"),
    [("images/a.jpg", "images_a.png"), ("../up/b.c.png", "up_b.c.png"), ("d.PNG", "d.png")],
)
def test_png_name_is_flat(view: str, file: str) -> None:
    assert png_name(view) == file


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch")
def test_train_when_terminated_saves_and_can_be_resumed(
    scene_folder: Path, tiny_config: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    argv = ["train", str(scene_folder), "--out", str(run), "--config", str(tiny_config), *CPU]
    endless = [*argv, "--iterations", "1000000", "--progress", "json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "pcgs_engine", *endless], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["type"] == "progress":
            process.send_signal(signal.SIGTERM)
            break
    rest = [json.loads(line) for line in process.stdout.read().splitlines()]
    process.stdout.close()
    assert process.wait(60) == 130
    assert rest[-1]["type"] == "error"
    assert rest[-1]["error"] == "CancelledError"
    assert any(message["type"] == "saved" for message in rest)
    assert (run / "checkpoint.safetensors").is_file()

    again = ["train", str(scene_folder), "--out", str(run), "--resume", "--time-limit", "0.001"]
    assert main([*again, *CPU]) == 0


@pytest.mark.parametrize("options", [["--levels", "1"], ["--levels", "2"], ["--levels", "4"],
                                     ["--head", "neural"]])  # fmt: skip
def test_whole_chain_works_for_each_number_of_levels_and_head(
    options: list[str],
    scene_folder: Path,
    tiny_config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run, file, splats = tmp_path / "run", tmp_path / "a.pcgs", tmp_path / "a.ply"
    argv = ["train", str(scene_folder), "--out", str(run), "--config", str(tiny_config), *CPU]
    assert main([*argv, *options]) == 0
    assert main(["encode", str(run), "--out", str(file), *CPU]) == 0
    stated = inspect_file(file).levels
    assert len(stated) == (int(options[1]) if options[0] == "--levels" else 3)
    for level in stated:
        capsys.readouterr()
        assert main(["decode", str(file), "--level", str(level.level), "--digest"]) == 0
        assert capsys.readouterr().out.strip() == level.digest
        argv = ["export", str(file), "--level", str(level.level), "--out", str(splats)]
        assert main(argv) == 0
        assert len(read_ply(splats)) == level.splats > 0
    capsys.readouterr()
    assert main(["eval", str(file), "--scene", str(scene_folder), "--json", *CPU]) == 0
    judged = json.loads(capsys.readouterr().out)["levels"]
    assert [entry["psnr"] for entry in judged] == pytest.approx(
        [level.psnr for level in stated], abs=1e-4
    )


def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_space)


def test_train_with_full_disk_keeps_the_old_checkpoint(
    scene_folder: Path,
    tiny_config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = tmp_path / "run"
    argv = ["train", str(scene_folder), "--out", str(run), "--config", str(tiny_config), *CPU]
    assert main(argv) == 0
    checkpoint = run / "checkpoint.safetensors"
    before = checkpoint.read_bytes()
    full_disk(monkeypatch)
    assert main([*argv, "--resume"]) == 3
    err = capsys.readouterr().err
    assert f"cannot write {checkpoint}: no space left on device; free some disk space" in err
    assert checkpoint.read_bytes() == before
    assert not list(run.glob("**/.*.part"))


def test_encode_with_full_disk_leaves_no_file(
    trained_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    full_disk(monkeypatch)
    out = tmp_path / "scene.pcgs"
    assert main(["encode", str(trained_run), "--out", str(out), "--no-quality"]) == 3
    assert f"cannot write {out}: no space left on device" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_train_out_of_memory_exits_four_and_leaves_no_checkpoint(
    scene_folder: Path,
    tiny_config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def allocate(*args: object, **options: object) -> None:
        torch.empty(1 << 60, dtype=torch.uint8)  # a real refusal of the allocator

    monkeypatch.setattr(Trainer, "iterate", allocate)
    run = tmp_path / "run"
    argv = ["train", str(scene_folder), "--out", str(run), "--config", str(tiny_config), *CPU]
    assert main(argv) == 4
    err = capsys.readouterr().err
    assert "pcgs: error: memory ran out; use a smaller --max-size or --preset" in err
    assert "Traceback" not in err
    assert not (run / "checkpoint.safetensors").exists()


@pytest.mark.slow
def test_demo_makes_file_pictures_and_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--out", str(tmp_path), "--iterations", "3", *CPU]) == 0
    names = {path.name for path in tmp_path.iterdir()}
    wanted = {"scene.pcgs", "strip.png", "rate.png", "levels.md", "levels.json", "level_3.ply"}
    assert wanted <= names
    levels = json.loads((tmp_path / "levels.json").read_text())["levels"]
    assert [level["level"] for level in levels] == [1, 2, 3]
    assert "PSNR" in capsys.readouterr().out
