"""Damaged camera and point files: read, or fail with one clear line; nothing else."""

import contextlib

import numpy as np
import plyfile
import pytest
from scene_samples import write_colmap_text, write_ply, write_transforms

from pcgs_engine.errors import SceneError
from pcgs_engine.scene.load_scene import load_scene
from pcgs_engine.scene.point_file import read_point_file

ROUNDS = 200
INSERTED = b'0123456789.-eE[]{}",: \n\xff'


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """Change, remove, insert or cut off bytes at one to three places."""
    for _ in range(rng.integers(1, 4)):
        place = int(rng.integers(len(data)))
        kind = rng.integers(4)
        if kind == 0:
            data = data[:place] + bytes([rng.integers(256)]) + data[place + 1 :]
        elif kind == 1 and len(data) > 10:
            data = data[:place] + data[place + int(rng.integers(1, 6)) :]
        elif kind == 2:
            data = data[:place] + bytes(rng.choice(list(INSERTED), 2).tolist()) + data[place:]
        else:
            data = data[: place + 1]
    return data


@contextlib.contextmanager
def one_line_or_fine():
    try:
        yield
    except SceneError as error:
        assert "\n" not in str(error)  # noqa: PT017


def binary_ply(path):
    fields = [("x", "f4"), ("y", "f8"), ("z", "f4"), ("red", "u1"), ("green", "u1"), ("blue", "u1")]
    element = plyfile.PlyElement.describe(np.ones(5, dtype=fields), "vertex")
    plyfile.PlyData([element]).write(str(path))
    return path


@pytest.mark.parametrize("write", [write_ply, binary_ply])
def test_point_file_damaged_reads_or_fails_in_one_line(tmp_path, write):
    path, rng = tmp_path / "points.ply", np.random.default_rng(0)
    data = write(path).read_bytes()
    for _ in range(ROUNDS):
        path.write_bytes(damage(data, rng))
        with one_line_or_fine():
            points = read_point_file(path)
            assert points.positions.shape == points.colors.shape


@pytest.mark.parametrize("count", ["900000000", "9" * 30])
def test_point_file_huge_count_is_refused_before_allocating(tmp_path, count):
    path = write_ply(tmp_path / "points.ply")
    path.write_text(path.read_text().replace("vertex 3", f"vertex {count}"))
    with pytest.raises(SceneError, match=r"announces 9.* of vertex"):
        read_point_file(path)


def test_point_file_value_beyond_float32_becomes_infinite(tmp_path):
    path = write_ply(tmp_path / "points.ply")
    path.write_text(path.read_text().replace("-1.0", "1e300").replace("float", "double"))
    assert np.isinf(read_point_file(path).positions).sum() == 1


def test_transforms_damaged_reads_or_fails_in_one_line(tmp_path):
    path, rng = write_transforms(tmp_path, 2, k1=0.1), np.random.default_rng(1)
    data = path.read_bytes()
    for _ in range(ROUNDS):
        path.write_bytes(damage(data, rng))
        with one_line_or_fine():
            assert load_scene(tmp_path).train_views


@pytest.mark.parametrize("name", ["cameras.txt", "images.txt", "points3D.txt"])
def test_colmap_text_damaged_reads_or_fails_in_one_line(tmp_path, name):
    path, rng = write_colmap_text(tmp_path) / name, np.random.default_rng(2)
    data = path.read_bytes()
    for _ in range(ROUNDS):
        path.write_bytes(damage(data, rng))
        with one_line_or_fine():
            assert load_scene(tmp_path).train_views
