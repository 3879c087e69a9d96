"""What goes wrong in a long session: engines killed, files reloaded, storms of undo, quitting.

One Blender for all of them; each test starts from a fresh scene. No error in the console, no
process left behind, nothing registered twice.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from addon_journey import Journey, running_engines, training_values
from gui_blender import GuiBlender
from gui_roots import gui_root

from pcgs_engine.codec import inspect_file

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
TRAINED = Path(__file__).resolve().parents[1] / "golden" / "trained.pcgs"
DELETE = "bpy.ops.object.delete('EXEC_DEFAULT', True)"
# Undo refuses where an area is overridden, as the listener does.
UNDO = (
    "with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):\n"
    "    bpy.ops.ed.undo()"
)
CENSUS = """
def census():
    handlers = [len(x) for n in dir(bpy.app.handlers) for x in [getattr(bpy.app.handlers, n)]
                if isinstance(x, list)]
    menus = [len(getattr(t.draw, "_draw_funcs", ())) for t in
             (bpy.types.TOPBAR_MT_file_import, bpy.types.TOPBAR_MT_file_export,
              bpy.types.STATUSBAR_HT_header)]
    classes = sorted(n for n in dir(bpy.types) if n.startswith("PCGS_"))
    return handlers, menus, classes
"""


@pytest.fixture(scope="module", params=["trixie", "sid"])
def journey(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    addon_zip: Path,
    engine_python: Path,
    engine_folders: list[Path],
    screenshots: Path,
) -> Iterator[Journey]:
    root = gui_root(request.param)
    work = tmp_path_factory.mktemp(f"robust_{request.param}")
    blender = GuiBlender(root, work, engine_folders)
    try:
        journey = Journey(blender, addon_zip, engine_python, screenshots / request.param)
        journey.install()
        journey.choose_engine(str(journey.blender.work / "cache"))
        blender.python(CENSUS)
        (work / "scene.pcgs").write_bytes(TRAINED.read_bytes())
        yield journey
    finally:
        blender.stop()


@pytest.fixture(autouse=True)
def _fresh_scene(request: pytest.FixtureRequest) -> Iterator[None]:
    journey = request.getfixturevalue("journey")
    if journey.blender.alive:
        journey.blender.python("bpy.ops.wm.read_homefile(app_template='')")
        journey.clear_scene()
        journey.blender.open_sidebar("PCGS")
    known = len(journey.faults())
    yield
    assert journey.faults()[known:] == []


def import_scene(journey: Journey, name: str = "scene.pcgs") -> None:
    path = str(journey.blender.work / name)
    call = f"bpy.ops.import_scene.pcgs('EXEC_DEFAULT', True, filepath={path!r})"  # an undo step
    assert journey.blender.value(call) == {"FINISHED"}


def start_training(journey: Journey, iterations: int) -> None:
    journey.blender.python(
        "import pcgs_engine.sample\n"
        "bpy.context.scene.pcgs.image_folder = str(pcgs_engine.sample.sample_path())"
    )
    journey.blender.wait("engine.scan is not None or engine.scan_error", 120)
    journey.set_tiny(iterations=iterations)
    journey.press_train()
    for value in training_values(journey):
        if value >= 10:
            return
    raise AssertionError(f"no progress: {journey.blender.value('engine.job.state.error')}")


def point_at_view(blender: GuiBlender) -> None:
    """Keys go to what is under the pointer."""
    blender.hover((500, 600))


def wait_for_no_engine(journey: Journey, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while running_engines(journey.blender):
        assert time.monotonic() < end, running_engines(journey.blender)
        time.sleep(0.2)


def test_enabling_and_disabling_fifty_times_leaves_the_same(journey: Journey) -> None:
    blender = journey.blender
    import_scene(journey)
    journey.decoded()
    before = blender.value("census()")
    module = "bl_ext.user_default.pcgs"
    for _ in range(50):
        blender.python(
            f"bpy.ops.preferences.addon_disable(module={module!r})\n"
            f"bpy.ops.preferences.addon_enable(module={module!r})"
        )
    from addon_journey import NAMES_INSIDE

    blender.python(NAMES_INSIDE)
    assert blender.value("census()") == before
    journey.choose_engine(str(journey.blender.work / "cache"))
    journey.decoded()
    assert blender.value("[f.levels_ready for f in files]") == [3]


def test_undo_and_redo_storm_keeps_levels_and_objects(journey: Journey) -> None:
    blender = journey.blender
    blender.python("bpy.context.preferences.edit.undo_steps = 256")
    import_scene(journey)
    journey.decoded()
    for step in range(50):
        blender.python(
            f"o = splats()[0]\no.pcgs.level = {step % 4}\n"
            "bpy.ops.ed.undo_push(message='level')\n"
            "bpy.ops.object.select_all(action='DESELECT')\no.select_set(True)\n"
            "bpy.context.view_layer.objects.active = o\n"
            "bpy.ops.object.duplicate_move_linked('EXEC_DEFAULT', True)\n"
            f"{DELETE if step % 2 else ''}"
        )
    state = "sorted((o.name, o.pcgs.level, o.pcgs.levels) for o in splats())"
    end = blender.value(state)
    for _ in range(100):
        blender.python(UNDO)
    early = blender.value(state)
    for _ in range(100):
        blender.python(UNDO.replace("undo", "redo"))
    assert blender.value(state) == end
    assert len(early) < len(end)  # type: ignore[arg-type]
    journey.decoded()
    assert blender.value("len(files)") == 1


def test_undo_brings_a_deleted_object_back_with_its_splats(journey: Journey) -> None:
    blender = journey.blender
    import_scene(journey)
    journey.decoded()
    blender.python(DELETE)
    blender.wait("not splats() and not len(files)", 30)
    point_at_view(blender)
    blender.key("ctrl+z")
    journey.decoded()
    assert blender.value("[f.levels_ready for f in files]") == [3]


def test_object_deleted_while_its_file_arrives_stops_the_reading(journey: Journey) -> None:
    blender = journey.blender
    data = TRAINED.read_bytes()
    growing = blender.work / "growing.pcgs"
    growing.write_bytes(data[: len(data) // 2])
    import_scene(journey, growing.name)
    blender.settle()
    blender.python("import threading\nbpy.ops.object.delete()")
    growing.write_bytes(data)
    blender.wait("len(files) == 0", 20)
    blender.settle(6)
    assert not blender.value("[t.name for t in threading.enumerate() if 'pcgs' in t.name.lower()]")


def test_growing_file_shows_what_is_there_and_then_the_rest(journey: Journey) -> None:
    blender = journey.blender
    data = TRAINED.read_bytes()
    growing = blender.work / "download.pcgs"
    first_two = inspect_file(TRAINED).levels[1].bytes
    assert first_two < len(data)
    growing.write_bytes(data[:first_two])
    import_scene(journey, growing.name)
    blender.wait("list(files)[0].levels_ready >= 1", 30)
    blender.settle(6)
    journey.show("20_growing")
    assert blender.value("list(files)[0].levels_ready") == 2
    growing.write_bytes(data)
    blender.wait("list(files)[0].levels_ready == 3", 30)


def test_engine_killed_in_mid_training_is_told_and_resumed_by_mouse(journey: Journey) -> None:
    blender = journey.blender
    start_training(journey, 200)
    blender.wait("engine.job.has_checkpoint or job_iteration() >= 80", 90)
    blender.shell(f"kill -9 {blender.value('engine.job.engine_pid')}")
    blender.wait("engine.running_job is None", 30)
    journey.show("21_killed")
    assert blender.value("job_stage()") == "FAILED"
    assert "SIGKILL" in str(blender.value("engine.job.state.error"))
    if not blender.value("engine.job.has_checkpoint"):
        assert "press Train" in str(blender.value("engine.job.state.error"))
        return
    for _ in range(3):
        blender.click(blender.find("pcgs.resume"))
        if blender.value("engine.running_job is not None"):
            break
    assert journey.wait_for_end() == "DONE", blender.value("engine.job.state.error")
    journey.show("22_resumed")


def test_pause_button_saves_a_checkpoint_and_resume_is_offered(journey: Journey) -> None:
    blender = journey.blender
    start_training(journey, 2000)
    for _ in range(3):
        blender.click(blender.find("pcgs.pause"))
        if blender.value("engine.running_job is None or engine.job.state.stopping"):
            break
    blender.wait("engine.running_job is None", 60)
    journey.show("23_paused")
    assert blender.value("job_stage()") == "PAUSED"
    assert blender.find("pcgs.resume")
    wait_for_no_engine(journey)


def test_file_loaded_while_a_job_runs_ends_the_engine_with_a_checkpoint(journey: Journey) -> None:
    blender = journey.blender
    blend = str(blender.work / "busy.blend")
    blender.python(f"bpy.ops.wm.save_as_mainfile(filepath={blend!r})")
    start_training(journey, 2000)
    blender.python("bpy.ops.wm.save_mainfile()")
    run = Path(str(blender.value("str(engine.job.settings.run)")))
    blender.python(f"bpy.ops.wm.open_mainfile(filepath={blend!r})")
    wait_for_no_engine(journey)
    assert (run / "checkpoint.safetensors").is_file()
    blender.settle()
    blender.wait("engine.run is not None and engine.run.resumable", 30)
    journey.show("24_loaded_while_training")
    assert blender.find("pcgs.resume")


def test_disabling_while_a_job_runs_ends_the_engine(journey: Journey) -> None:
    blender = journey.blender
    start_training(journey, 2000)
    module = "bl_ext.user_default.pcgs"
    blender.python(f"bpy.ops.preferences.addon_disable(module={module!r})")
    wait_for_no_engine(journey)
    blender.python(f"bpy.ops.preferences.addon_enable(module={module!r})")
    from addon_journey import NAMES_INSIDE

    blender.python(NAMES_INSIDE)
    journey.choose_engine(str(journey.blender.work / "cache"))


def test_quitting_while_a_job_runs_leaves_a_resumable_run_and_no_process(journey: Journey) -> None:
    blender = journey.blender
    start_training(journey, 2000)
    run = Path(str(blender.value("str(engine.job.settings.run)")))
    blender.python(
        "bpy.app.timers.register(lambda: bpy.ops.wm.quit_blender() and None, first_interval=0.5)"
    )
    end = time.monotonic() + 30
    while blender.alive:
        assert time.monotonic() < end, "Blender does not quit"
        time.sleep(0.2)
    wait_for_no_engine(journey)
    assert (run / "checkpoint.safetensors").is_file()
