"""A disk with no room: every writer says so with the next step, and nothing half written stays.

The kernel refuses the bytes beyond a limit, so that real writes fail half-way, in this process and
in the engine's. Only the name of the error differs from that of a full disk.
"""

import contextlib
import errno
import os
from pathlib import Path

import numpy as np
import pytest
from render_scenes import make_scene, srgb_of
from sample_files import TRAINED
from viewport_gpu import need_gpu

from addon.engine.job_state import Stage
from addon.engine.registry import engine_registry
from addon.objects import splat_objects

resource = pytest.importorskip("resource", reason="limits of a process are Unix's")

OLD = b"what was there before"
FULL = "cannot write .*: file too large; choose a disk that takes larger files"


@contextlib.contextmanager
def room_for(size):
    """Let no file grow beyond `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def obj(blender):
    blender.ops.import_scene.pcgs(filepath=str(TRAINED))
    return blender.context.object


@pytest.fixture
def target(tmp_path):
    """A file that is to be replaced."""
    path = tmp_path / "out" / "scene.pcgs"
    path.parent.mkdir()
    path.write_bytes(OLD)
    return path


def assert_untouched(target):
    assert target.read_bytes() == OLD
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("name", ["pcgs", "pcgs_ply"])
def test_export_keeps_the_old_file_and_says_what_to_do(blender, obj, target, name):
    export = getattr(blender.ops.export_scene, name)
    with room_for(5_000), pytest.raises(RuntimeError, match=FULL):
        export(filepath=str(target))
    assert_untouched(target)
    assert export(filepath=str(target)) == {"FINISHED"}


def test_full_disk_is_called_by_its_name(blender, obj, target, monkeypatch):
    def no_space(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(RuntimeError, match="no space left on device; free some disk space"):
        blender.ops.export_scene.pcgs_ply(filepath=str(target))
    assert_untouched(target)


def test_unpacking_keeps_the_bytes_packed(blender, obj, target):
    blender.ops.pcgs.pack_file()
    with room_for(5_000), pytest.raises(RuntimeError, match=FULL):
        blender.ops.pcgs.unpack_file(filepath=str(target))
    assert_untouched(target)
    assert obj.data.pcgs.packed == TRAINED.read_bytes()


def test_render_is_made_without_splats_and_says_why(blender, tmp_path, monkeypatch):
    from addon.render.failure import render_failure

    need_gpu()
    monkeypatch.setenv("PCGS_RENDER_DEVICE", "gpu")
    scene, _ = make_scene(blender, tmp_path)
    blender.ops.pcgs.add_to_render()
    with room_for(5_000):
        blender.ops.render.render()
    assert "render result cannot be read" in render_failure.text
    assert "check the temporary folder" in render_failure.text
    path = tmp_path / "after.png"
    blender.data.images["Render Result"].save_render(str(path), scene=scene)
    image = blender.data.images.load(str(path))
    pixels = np.array(image.pixels[:]).reshape(-1, 4)
    assert np.abs(pixels[:, :3] - srgb_of(0.05)).max() < 0.01
    # The scene's own output settings are as before.
    assert scene.render.image_settings.file_format == "PNG"


@pytest.mark.slow
def test_training_fails_with_the_reason_and_can_be_started_again(engine, blender):
    blender.ops.pcgs.use_sample()
    settings = blender.context.scene.pcgs
    settings.iterations, settings.max_size = 40, 80
    with room_for(20_000):
        assert blender.ops.pcgs.train() == {"CANCELLED"}
    job = engine_registry.job
    assert job.state.stage is Stage.FAILED
    assert "file too large; choose a disk" in job.state.error
    assert splat_objects() == []
    assert not list(Path(job.settings.run).rglob("*.part"))
    assert blender.ops.pcgs.train.poll()
    assert blender.ops.pcgs.train() == {"FINISHED"}
