"""`pcgs train` on unusable image sets: one line that names the file, status 3, nothing left."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("torch")
pytest.importorskip("numba")

from PIL import Image

from pcgs_engine.cli.main import main

CPU = ["--device", "cpu", "--threads", "1"]


def empty_list(folder: Path, samples: ModuleType) -> None:
    (folder / "sparse/0/images.bin").write_bytes(samples.images_bin([]))


def images_gone(folder: Path, samples: ModuleType) -> None:
    for path in (folder / "images").iterdir():
        path.rename(path.with_name(f"other_{path.name}"))


def truncated(folder: Path, samples: ModuleType) -> None:
    path = folder / "sparse/0/points3D.bin"
    path.write_bytes(path.read_bytes()[:-9])


def unknown_camera_model(folder: Path, samples: ModuleType) -> None:
    data = samples.cameras_bin("OPENCV_FISHEYE", params=(1.0,) * 8)
    (folder / "sparse/0/cameras.bin").write_bytes(data)


def nan_pose(folder: Path, samples: ModuleType) -> None:
    data = samples.images_bin(["img_0.png"], turns=lambda _: (float("nan"), 0, 0, 0))
    (folder / "sparse/0/images.bin").write_bytes(data)


def unreadable_image(folder: Path, samples: ModuleType) -> None:
    (folder / "images/img_1.png").write_bytes(b"no picture")


def cut_image(folder: Path, samples: ModuleType) -> None:
    for path in (folder / "images").iterdir():  # every one: which is read first is drawn
        path.write_bytes(path.read_bytes()[:60])


def wrong_size(folder: Path, samples: ModuleType) -> None:
    samples.write_image(folder / "images/img_1.png", (48, 48))


def no_folder(folder: Path, samples: ModuleType) -> None:
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("spoil", "place", "part"),
    [
        (no_folder, "scene", "does not exist"),
        (empty_list, "images.bin", "lists no images"),
        (images_gone, "images.bin", "3 of 3 images are not in"),
        (truncated, "points3D.bin", "truncated"),
        (unknown_camera_model, "cameras.bin", "OPENCV_FISHEYE is not supported"),
        (nan_pose, "images.bin", "wanted finite numbers"),
        (unreadable_image, "img_1.png", "not an image"),
        (cut_image, "img_", "pixels cannot be decoded"),
        (wrong_size, "img_1.png", "image is 48x48, its camera is 32x24"),
    ],
)
def test_train_on_bad_scene_is_one_line_and_leaves_no_checkpoint(
    spoil: Callable[[Path, ModuleType], None],
    place: str,
    part: str,
    scene_samples: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene, run = tmp_path / "scene", tmp_path / "run"
    scene_samples.write_colmap(scene, 3)
    many = scene_samples.np.random.default_rng(0).uniform(-1, 1, (50, 3))
    colors = scene_samples.np.full((50, 3), 128, dtype="uint8")
    (scene / "sparse/0/points3D.bin").write_bytes(scene_samples.points_bin(many, colors))
    spoil(scene, scene_samples)
    assert main(["train", str(scene), "--out", str(run), "--iterations", "2", *CPU]) == 3
    err = capsys.readouterr().err
    assert "Traceback" not in err
    (line,) = [line for line in err.splitlines() if line.startswith("pcgs: error: ")]
    assert place in line
    assert part in line
    assert not (run / "checkpoint.safetensors").exists()


def test_train_on_scene_without_images_in_transforms_names_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "transforms.json").write_text(json.dumps({"frames": []}))
    assert main(["train", str(tmp_path), "--out", str(tmp_path / "run"), *CPU]) == 3
    assert "transforms.json: frames is missing or empty" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_train_on_image_without_read_permission_names_it(
    scene_samples: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene_samples.write_colmap(tmp_path, 3)
    real = Image.open

    def refuse(path: Path) -> Image.Image:  # patched: no permission stops root
        if path.name == "img_1.png":
            raise PermissionError(13, os.strerror(13), str(path))
        return real(path)

    monkeypatch.setattr(Image, "open", refuse)
    assert main(["train", str(tmp_path), "--out", str(tmp_path / "run"), *CPU]) == 3
    assert "img_1.png: permission denied; allow reading it" in capsys.readouterr().err
