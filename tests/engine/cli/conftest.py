"""Files the command line tests read: a synthetic `.pcgs` and a posed image set of a few pixels."""

import errno
import importlib.util
import io
import json
import os
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ENGINE_TESTS = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def pcgs_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A valid file of three levels with stated quality."""
    from pcgs_engine.codec import encode

    levels = [{"level": s, "psnr": 20.0 + s, "ssim": 0.8} for s in (1, 2, 3)]
    model = _module_of("codec", "synthetic_model").synthetic_model(80)
    path = tmp_path_factory.mktemp("file") / "synthetic.pcgs"
    path.write_bytes(encode(model, {"title": "synthetic", "levels": levels}))
    return path


@pytest.fixture(scope="session")
def sample_chunks() -> ModuleType:
    """Builder of files whose chunks hold anything, for commands that decode nothing."""
    return _module_of("codec", "sample_chunks")


class _FullDisk(io.FileIO):
    """Takes a few bytes of what is written and then has no room."""

    def write(self, data: bytes) -> int:  # type: ignore[override]
        super().write(memoryview(data)[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every file that is newly created run out of space in the middle."""
    plain = Path.open

    def opened(path: Path, mode: str = "r", *args: object, **options: object) -> object:
        if "x" in mode:
            return _FullDisk(path, "xb")
        return plain(path, mode, *args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", opened)


@pytest.fixture(scope="session")
def scene_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine cameras on a circle that look at the synthetic model's place, 24 x 16 pixels."""
    image_module = pytest.importorskip("PIL.Image")
    folder = tmp_path_factory.mktemp("scene")
    rng = np.random.default_rng(0)
    frames = []
    for index in range(9):
        name = f"{index}.png"
        pixels = rng.integers(0, 255, (16, 24, 3), dtype=np.uint8)
        image_module.fromarray(pixels).save(folder / name)
        angle = 2 * np.pi * index / 9
        frames.append({"file_path": name, "transform_matrix": _looking_inward(angle)})
    settings = {"fl_x": 24.0, "fl_y": 24.0, "cx": 12.0, "cy": 8.0, "w": 24, "h": 16}
    (folder / "transforms.json").write_text(json.dumps({**settings, "frames": frames}))
    points = rng.uniform(-0.5, 0.5, (300, 3)).astype(np.float32)
    _write_points(folder / "points3d.ply", points)
    return folder


@pytest.fixture(scope="session")
def scene_samples() -> ModuleType:
    """The scene tests' writers of small image sets."""
    pytest.importorskip("PIL.Image")
    return _module_of("scene", "scene_samples")


def _looking_inward(angle: float) -> list[list[float]]:
    """Camera to world, OpenGL axes, on a circle of radius 3 around the origin."""
    back = np.array([np.cos(angle), np.sin(angle), 0.0])
    up = np.array([0.0, 0.0, 1.0])
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([np.cross(up, back), up, back], axis=1)
    matrix[:3, 3] = 3.0 * back
    return [[float(value) for value in row] for row in matrix]


def _write_points(path: Path, points: np.ndarray) -> None:
    plyfile = pytest.importorskip("plyfile")
    names = [("x", "f4"), ("y", "f4"), ("z", "f4"), ("red", "u1"), ("green", "u1"), ("blue", "u1")]
    rows = [(*point, 200, 100, 50) for point in points.tolist()]
    element = plyfile.PlyElement.describe(np.array(rows, dtype=names), "vertex")
    plyfile.PlyData([element]).write(str(path))


def _module_of(folder: str, name: str) -> ModuleType:
    """Import another folder's builder of test data."""
    path = ENGINE_TESTS / folder / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(name, module)
    spec.loader.exec_module(module)
    return module
