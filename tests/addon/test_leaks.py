"""Long sessions in short: what hundreds of imports, renders, undos and reloads leave behind.

Nothing may: memory within 5 %, GPU textures, threads, processes, temporary folders, files held.
With a window the same is driven by tests/blender/test_gui_robustness.py, timers included.
"""

import gc
import os
import tempfile
import threading
import time
from pathlib import Path

import bpy
import pytest
from render_scenes import make_scene
from sample_files import TRAINED, copy_of_trained, resident_bytes, wait_until
from viewport_gpu import start_gpu
from viewport_scenes import Lens, looking

from addon.engine import session as engine_session
from addon.engine.job_state import Stage
from addon.engine.registry import engine_registry
from addon.engine.requests import start_job
from addon.files import splat_files
from addon.objects import file_of_object, open_splats, splat_objects, visible_instances

LENS = Lens()
LEVELS = (0, 1, 2, 3)


def settled_bytes():
    gc.collect()
    return resident_bytes()


def engine_processes():
    """Command lines of this process's children that run the engine."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_text().replace("\0", " ").strip()
        except OSError:  # it has just ended
            continue
        if parent == os.getpid() and command:
            found.append(command)
    return [command for command in found if "engine" in command]


def decoding_threads():
    """Threads that read a file; one that has just said that all is ready may still be there."""
    return [item.name for item in threading.enumerate() if item.name.startswith("pcgs decode")]


def settled_threads():
    """Threads that stay; the viewport's pool starts its second one when both have work at once."""
    wait_until(lambda: not decoding_threads())
    return sum(not item.name.startswith("pcgs viewport") for item in threading.enumerate())


@pytest.fixture
def viewport():
    """A viewport's memory and clock without a window."""
    from addon.viewport.session import ViewportSession

    start_gpu()
    now = [0.0]
    session = ViewportSession(lambda: now[0])
    session.now = now
    yield session
    session.clear()


def draw(session):
    """What the draw handler does at a redraw of one 3D view."""
    from addon.viewport import ViewParameters
    from addon.viewport.view_picture import DepthCopy

    bpy.context.view_layer.update()
    instances = visible_instances(bpy.context, for_render=False)
    size = (LENS.width, LENS.height)
    view = ViewParameters.from_matrices(looking((3.0, 0.0, 1.0)), LENS.projection)
    supplied = session.supply.supply(instances, 10**6)
    session.say(supplied)
    if supplied.instances:
        picture = session.picture(1)
        picture.update(supplied.instances, view, size, DepthCopy.empty(size[0] * size[1]))
    session.now[0] += 2.0
    current = {instance.key for instance in instances}
    session.tidy(lambda key: key in current)
    return len(supplied.instances)


@pytest.mark.slow
def test_200_rounds_of_import_slide_and_delete_give_all_memory_back(blender, viewport):
    def round_trip():
        blender.ops.import_scene.pcgs(filepath=str(TRAINED))
        obj = blender.context.object
        for level in LEVELS:
            obj.pcgs.level = level
            assert draw(viewport) == (level > 0)
        blender.ops.object.delete()
        blender.ops.outliner.orphans_purge(do_recursive=True)
        draw(viewport)
        assert len(splat_files) == 0

    for _ in range(20):  # fills caches of allocators, the driver and Blender
        round_trip()
    threads, before, gpu_before = settled_threads(), settled_bytes(), viewport.gpu_bytes
    for _ in range(200):
        round_trip()
    assert settled_bytes() < 1.05 * before
    assert viewport.gpu_bytes <= 1.05 * gpu_before
    assert settled_threads() == threads
    assert not blender.data.meshes
    viewport.now[0] += 60.0
    viewport.tidy(lambda key: False)
    assert viewport.gpu_bytes == 0


@pytest.mark.slow
def test_60_renders_leave_no_memory_and_no_files(blender, tmp_path, monkeypatch):
    start_gpu()
    monkeypatch.setenv("PCGS_RENDER_DEVICE", "gpu")
    scene, _ = make_scene(blender, tmp_path)
    scene.cycles.samples = 1
    blender.ops.pcgs.add_to_render()
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))

    def render():
        blender.ops.render.render()

    for _ in range(15):
        render()
    before, images = settled_bytes(), len(blender.data.images)
    for _ in range(60):
        render()
    assert settled_bytes() < 1.05 * before
    assert len(blender.data.images) == images
    assert list(folder.iterdir()) == []


def state_of_scene():
    """What a user can see of the splats: objects, levels, places, what is drawn and rendered."""
    from addon.render.setup import is_added

    bpy.context.view_layer.update()
    objects = sorted((o.name, o.pcgs.level, tuple(o.location)) for o in splat_objects())
    drawn = sorted(item.key[2] for item in visible_instances(bpy.context, for_render=False))
    return objects, drawn, is_added(bpy.context.scene)


def one_step(step):
    """A change of the scene as a user makes them, other ones at every step."""
    obj = splat_objects()[0]
    bpy.ops.object.select_all(action="DESELECT")
    obj.select_set(True)
    bpy.context.view_layer.objects.active = obj
    if step % 5 == 0:
        bpy.ops.object.duplicate(linked=step % 2 == 0)
    elif step % 5 == 3 and len(splat_objects()) > 1:
        bpy.ops.object.delete()
    elif step % 10 == 4:
        bpy.ops.pcgs.remove_from_render()
    elif step % 10 == 9:
        bpy.ops.pcgs.add_to_render()
    else:
        obj.pcgs.level = step % 4
        obj.location.x = step
    bpy.ops.ed.undo_push(message=f"step {step}")


def test_storm_of_100_undos_and_redos_comes_back_to_every_state(blender):
    steps = 100
    blender.context.preferences.edit.undo_steps = 256
    blender.ops.import_scene.pcgs(filepath=str(TRAINED))
    blender.ops.ed.undo_push(message="import")
    states = [state_of_scene()]
    for step in range(steps):
        one_step(step)
        states.append(state_of_scene())
    assert len(set(map(str, states))) > 40
    for _ in range(2):
        for wanted in reversed(states[:-1]):
            blender.ops.ed.undo()
            assert state_of_scene() == wanted
        for wanted in states[1:]:
            blender.ops.ed.redo()
            assert state_of_scene() == wanted
    assert len(splat_files) == 1


def reload_by(blender, way, tmp_path):
    if way == "homefile":
        blender.ops.wm.read_homefile(app_template="")
    else:
        blender.ops.wm.open_mainfile(filepath=str(tmp_path / "empty.blend"))


@pytest.mark.parametrize("way", ["homefile", "mainfile"])
def test_reload_while_files_are_decoded_ends_their_threads(blender, tmp_path, way):
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "empty.blend"))
    for number in range(8):
        files = []
        for index in range(4):
            obj = open_splats(blender.context, copy_of_trained(tmp_path, f"{index}.pcgs"))
            files.append(file_of_object(obj))
        time.sleep(0.01 * number)
        reload_by(blender, way, tmp_path)
        assert len(splat_files) == 0
        assert splat_objects() == []
        wait_until(lambda files=files: not any(file.state.working for file in files))
    settled_threads()


@pytest.mark.slow
@pytest.mark.parametrize("way", ["homefile", "mainfile"])
@pytest.mark.parametrize("stage", [Stage.CHECKING, Stage.TRAINING])
def test_reload_while_a_job_runs_leaves_no_process(engine, blender, tmp_path, way, stage):
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "empty.blend"))
    blender.ops.pcgs.use_sample()
    settings = blender.context.scene.pcgs
    settings.iterations, settings.max_size = 100_000, 80
    job = start_job(blender.context)

    def at_work():
        job.poll()
        return stage is Stage.CHECKING or (job.state.stage is stage and engine_processes())

    wait_until(at_work, seconds=60.0)
    reload_by(blender, way, tmp_path)
    assert engine_registry.job is None
    wait_until(lambda: not engine_processes(), seconds=60.0)

    def nothing_to_poll():
        engine_session.step()
        return not engine_registry.busy

    wait_until(nothing_to_poll, seconds=60.0)
    assert splat_objects() == []
