"""`pcgs draw`: pictures of splats from a camera file, and of what lies before something opaque."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("numba")

from pcgs_engine.cli.main import main
from pcgs_engine.splats import SplatCloud
from pcgs_engine.splats.ply import write_ply

WIDTH, HEIGHT = 50, 34


def cloud_of(count: int = 400) -> SplatCloud:
    rng = np.random.default_rng(3)
    quats = rng.normal(size=(count, 4))
    quats /= np.linalg.norm(quats, axis=1, keepdims=True)
    return SplatCloud(
        means=rng.uniform(-1.0, 1.0, (count, 3)).astype(np.float32),
        scales=rng.uniform(0.02, 0.15, (count, 3)).astype(np.float32),
        quats=quats.astype(np.float32),
        opacities=rng.uniform(0.2, 0.95, count).astype(np.float32),
        sh=rng.normal(0.0, 0.4, (count, 4, 3)).astype(np.float32),
    )


def camera_values() -> dict[str, object]:
    pose = np.eye(4)
    pose[2, 3] = 4.0
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "fx": 60.0,
        "fy": 58.0,
        "cx": 24.0,
        "cy": 18.5,
        "world_to_camera": pose.tolist(),
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_ply(tmp_path / "splats.ply", cloud_of())
    (tmp_path / "camera.json").write_text(json.dumps(camera_values()))
    return tmp_path


def draw(folder: Path, *extra: str, splats: str = "splats.ply") -> dict[str, np.ndarray]:
    out = folder / "picture.npz"
    words = ["draw", str(folder / splats), "--camera", str(folder / "camera.json")]
    assert main([*words, "--out", str(out), "--device", "cpu", *extra]) == 0
    with np.load(out) as arrays:
        return dict(arrays)


def limited(folder: Path, limits: np.ndarray) -> dict[str, np.ndarray]:
    np.save(folder / "depth.npy", limits.astype(np.float32))
    return draw(folder, "--before", str(folder / "depth.npy"))


def error_text(capsys: pytest.CaptureFixture[str]) -> str:
    err = capsys.readouterr().err
    assert "Traceback" not in err
    return err


def test_draw_gives_color_alpha_and_depth(folder: Path) -> None:
    picture = draw(folder)
    assert set(picture) == {"rgb", "alpha", "depth"}
    assert picture["rgb"].shape == (HEIGHT, WIDTH, 3)
    assert picture["rgb"].dtype == np.float32
    seen = picture["alpha"] > 0.5
    assert seen.sum() > 200
    assert (picture["depth"][seen] > 2.5).all()
    assert (picture["depth"][seen] < 5.5).all()


def test_draw_before_nothing_is_the_whole_picture(folder: Path) -> None:
    picture = limited(folder, np.full((HEIGHT, WIDTH), np.inf))
    # Same formulas, exp() by another polynomial: float32 rounding over some dozen layers.
    np.testing.assert_allclose(picture["rgb_before"], picture["rgb"], atol=2e-5)
    np.testing.assert_allclose(picture["alpha_before"], picture["alpha"], atol=2e-5)


def test_draw_before_the_eye_is_empty(folder: Path) -> None:
    picture = limited(folder, np.zeros((HEIGHT, WIDTH)))
    assert not picture["rgb_before"].any()
    assert not picture["alpha_before"].any()


def test_draw_before_a_wall_equals_the_cloud_without_what_is_behind(folder: Path) -> None:
    limits = np.full((HEIGHT, WIDTH), np.inf)
    limits[:, : WIDTH // 2] = 4.0
    picture = limited(folder, limits)
    cloud = cloud_of()
    near = cloud.means[:, 2] < 0.0
    parts = {
        name: getattr(cloud, name)[near] for name in ("means", "scales", "quats", "opacities", "sh")
    }
    write_ply(folder / "near.ply", SplatCloud(**parts))
    expected = draw(folder, splats="near.ply")
    left, right = np.s_[:, : WIDTH // 2], np.s_[:, WIDTH // 2 :]
    np.testing.assert_allclose(picture["rgb_before"][left], expected["rgb"][left], atol=2e-5)
    np.testing.assert_allclose(picture["rgb_before"][right], picture["rgb"][right], atol=2e-5)
    assert np.abs(picture["rgb_before"][left] - picture["rgb"][left]).max() > 0.05


def test_draw_takes_a_level_of_a_pcgs_file(folder: Path, pcgs_file: Path) -> None:
    out = folder / "picture.npz"
    words = ["draw", str(pcgs_file), "--level", "1", "--camera", str(folder / "camera.json")]
    assert main([*words, "--out", str(out), "--device", "cpu"]) == 0
    with np.load(out) as arrays:
        assert np.isfinite(arrays["rgb"]).all()


def test_draw_level_of_a_ply_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["draw", str(folder / "splats.ply"), "--camera", str(folder / "camera.json")]
    assert main([*words, "--level", "1", "--out", str(folder / "x.npz")]) == 2
    assert "has no levels" in error_text(capsys)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"width": 0}, "width is 0"),
        ({"height": 1.5}, "height is 1.5"),
        ({"fx": -1.0}, "wanted numbers above 0"),
        ({"cx": "left"}, "cx is 'left'"),
        ({"world_to_camera": [[1.0]]}, "no rigid 4 x 4 matrix"),
        ({"world_to_camera": (2.0 * np.eye(4)).tolist()}, "no rigid 4 x 4 matrix"),
        ({"zoom": 1}, "wanted an object with"),
    ],
)
def test_draw_bad_camera_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], change: dict[str, object], said: str
) -> None:
    (folder / "camera.json").write_text(json.dumps(camera_values() | change))
    words = ["draw", str(folder / "splats.ply"), "--camera", str(folder / "camera.json")]
    assert main([*words, "--out", str(folder / "x.npz")]) == 2
    assert said in error_text(capsys)


@pytest.mark.parametrize("content", [b"", b"no array", b"{"])
def test_draw_unreadable_side_files_are_told(
    folder: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    (folder / "depth.npy").write_bytes(content)
    words = ["draw", str(folder / "splats.ply"), "--camera", str(folder / "camera.json")]
    words += ["--out", str(folder / "x.npz")]
    assert main([*words, "--before", str(folder / "depth.npy")]) == 2
    assert "write it with numpy.save" in error_text(capsys)
    (folder / "camera.json").write_bytes(content)
    assert main(words) == 2
    assert "not JSON" in error_text(capsys)


def test_draw_depth_of_another_size_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(folder / "depth.npy", np.ones((3, 4), np.float32))
    words = ["draw", str(folder / "splats.ply"), "--camera", str(folder / "camera.json")]
    words += ["--before", str(folder / "depth.npy"), "--out", str(folder / "x.npz")]
    assert main(words) == 2
    assert "shape is (3, 4), wanted (34, 50)" in error_text(capsys)
