"""The way of a user through a real Blender with a mouse: install, train, slide, export, import.

One session a Blender, one test a step: each goes on where the last one stopped. Pictures of every
step go to PCGS_SCREENSHOTS.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from addon_journey import Journey, running_engines, training_values
from gui_blender import GuiBlender
from gui_roots import gui_root

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(900)]
LEVELS = 3
VISIBLE_PIXELS = 3000
"""A scene that fills the view changes ten times as many."""


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
    work = tmp_path_factory.mktemp(f"gui_{request.param}")
    blender = GuiBlender(root, work, engine_folders)
    try:
        yield Journey(blender, addon_zip, engine_python, screenshots / request.param)
    finally:
        blender.stop()


def test_01_zip_installs_and_the_panel_shows(journey: Journey) -> None:
    journey.install()
    journey.clear_scene()
    journey.blender.open_sidebar("PCGS")
    journey.show("01_installed")
    assert journey.blender.find("pcgs.use_sample")


def test_02_sample_without_engine_says_what_to_do(journey: Journey) -> None:
    journey.choose_sample()
    journey.show("02_no_engine")
    told = journey.blender.value(
        "[engine.scan_error, engine.report.problem if engine.report else '']"
    )
    assert "choose" in str(told)


def test_03_engine_and_images_are_found(journey: Journey) -> None:
    blender = journey.blender
    journey.choose_engine()
    blender.wait("engine.scan is not None", 120)
    journey.set_tiny()
    journey.show("03_images")
    assert blender.value("(engine.scan.train_views, engine.scan.test_views)") == (42, 6)


def test_04_train_button_starts_a_job_whose_progress_moves(journey: Journey) -> None:
    blender = journey.blender
    journey.press_train()
    seen = []
    for value in training_values(journey):
        seen.append(value)
        if len(seen) == 4:
            journey.show("04_training")
    assert len(seen) >= 4, blender.value("(job_stage(), engine.job.state.error, engine.job.log)")
    assert seen == sorted(seen)
    assert journey.wait_for_end() == "DONE", blender.value("engine.job.state.error")
    journey.decoded()
    journey.show("05_trained")
    assert running_engines(blender) == []


def test_05_splats_of_the_result_appear(journey: Journey) -> None:
    blender = journey.blender
    assert blender.value("[o.pcgs.levels for o in splats()]") == [LEVELS]
    blender.python(
        "o = splats()[0]\nfor x in bpy.data.objects: x.select_set(x == o)\n"
        "bpy.context.view_layer.objects.active = o\nbpy.ops.view3d.view_selected()"
    )
    shown = journey.view("shown")
    blender.python("splats()[0].pcgs.level = 0")
    box = journey.view("box")
    blender.python(f"splats()[0].pcgs.level = {LEVELS}")
    assert journey.differing_pixels(shown, box) > VISIBLE_PIXELS


def test_06_slider_goes_through_all_levels_by_mouse_and_keys(journey: Journey) -> None:
    views = []
    for level in (0, 1, 2, 3):
        journey.set_level(level)
        views.append(journey.view(f"level_{level}"))
        journey.show(f"06_level_{level}")
    assert journey.differing_pixels(views[0], views[1]) > VISIBLE_PIXELS
    assert journey.differing_pixels(views[1], views[3]) > 0


def test_07_slider_follows_a_dragging_mouse(journey: Journey) -> None:
    blender = journey.blender
    journey.set_level(3)
    x, y = blender.find("pcgs.level")
    blender.hover((x, y))
    blender.shell("xdotool mousedown 1")
    for _ in range(12):
        blender.shell("xdotool mousemove_relative -- -10 0")
        blender.settle(1)
    blender.shell("xdotool mouseup 1")
    blender.settle()
    assert blender.value("bpy.context.object.pcgs.level") < 3
    blender.key("ctrl+z")
    journey.set_level(3)


def test_08_export_writes_a_smaller_file(journey: Journey) -> None:
    blender = journey.blender
    for level in (1, 2, 3):
        path = str(blender.work / f"export_{level}.pcgs")
        call = f"bpy.ops.export_scene.pcgs(filepath={path!r}, level={level})"
        assert blender.value(call) == {"FINISHED"}
    sizes = [(blender.work / f"export_{level}.pcgs").stat().st_size for level in (1, 2, 3)]
    assert 0 < sizes[0] < sizes[1] < sizes[2]


def test_09_exported_files_import_by_operator_and_by_drop(journey: Journey) -> None:
    blender = journey.blender
    path = str(blender.work / "export_3.pcgs")
    assert blender.value(f"bpy.ops.import_scene.pcgs(filepath={path!r})") == {"FINISHED"}
    journey.decoded()
    assert blender.value("(bpy.context.object.name, bpy.context.object.pcgs.levels)")[1] == LEVELS
    blender.python(
        "bpy.context.object.location.x += 3\nbpy.ops.wm.drop_import_file('INVOKE_DEFAULT', "
        f"directory={str(blender.work)!r}, "
        "files=[{'name': 'export_1.pcgs'}, {'name': 'export_2.pcgs'}])"
    )
    journey.decoded()
    blender.python("bpy.context.object.location.x -= 3\nbpy.ops.view3d.view_all()")
    assert blender.value("sorted(o.pcgs.levels for o in splats())") == [1, 2, LEVELS, LEVELS]
    journey.show("09_imported")


def test_10_saved_file_comes_back_with_its_splats(journey: Journey) -> None:
    blender = journey.blender
    blend = str(blender.work / "scene.blend")
    before = journey.view("before_save")
    levels = blender.value("{o.name: (o.pcgs.level, o.pcgs.levels) for o in splats()}")
    blender.python(f"bpy.ops.wm.save_as_mainfile(filepath={blend!r})")
    blender.python("bpy.ops.wm.read_homefile(app_template='', use_empty=False)")
    blender.python(f"bpy.ops.wm.open_mainfile(filepath={blend!r})")
    journey.decoded()
    assert blender.value("{o.name: (o.pcgs.level, o.pcgs.levels) for o in splats()}") == levels
    after = journey.view("after_load")
    journey.show("10_reloaded")
    blender.python(
        "kept = [(o, o.pcgs.level) for o in splats()]\nfor o, _ in kept: o.pcgs.level = 0"
    )
    boxes = journey.view("boxes_after_load")
    blender.python("for o, level in kept: o.pcgs.level = level")
    assert journey.differing_pixels(after, boxes) > VISIBLE_PIXELS
    assert journey.differing_pixels(after, before) < journey.differing_pixels(after, boxes) / 4


def test_11_f12_renders_the_splats(journey: Journey) -> None:
    blender = journey.blender
    blender.python(
        "import mathutils\nscene = bpy.context.scene\nscene.render.engine = 'CYCLES'\n"
        "scene.cycles.samples, scene.cycles.use_denoising = 4, False\n"
        "scene.render.resolution_x, scene.render.resolution_y = 320, 200\n"
        "o = splats()[0]\nfor other in splats()[1:]: other.hide_render = True\n"
        "camera, camera.data.lens = scene.camera, 35\n"
        "low, high = (o.matrix_world @ mathutils.Vector(o.bound_box[i]) for i in (0, 6))\n"
        "target, size = (low + high) / 2, (high - low).length\n"
        "camera.location = target + mathutils.Vector((0.4, -1, 0.7)).normalized() * size * 0.2\n"
        "camera.rotation_euler = (target - camera.location).to_track_quat('-Z', 'Y').to_euler()\n"
        "done = []\n"
        "bpy.app.handlers.render_complete.append(lambda *_: done.append(1))"
    )
    x, y, width, height = blender.value(
        "[getattr(view3d()[2], n) for n in ('x', 'y', 'width', 'height')]"
    )  # type: ignore[misc]
    blender.hover((x + width // 3, 900 - y - height // 2))
    blender.shell("xdotool key 96")  # F12 by its code: by name newer xkb rules give Alt+F12
    blender.wait("bool(done)", 120)
    journey.show("11_rendered")
    picture = blender.work / "f12.png"
    blender.python(f"bpy.data.images['Render Result'].save_render({str(picture)!r})")
    (journey.pictures / "11_f12.png").write_bytes(picture.read_bytes())
    colours = blender.shell(f"identify -format '%k' {picture}")
    assert int(colours) > 2000, "a picture of grey background and nothing else"


def test_12_disabled_and_removed_extension_leaves_nothing_behind(journey: Journey) -> None:
    blender = journey.blender
    blender.python("bpy.ops.wm.read_homefile(app_template='')")
    blender.python(f"bpy.ops.preferences.addon_disable(module={'bl_ext.user_default.pcgs'!r})")
    left = "[n for n in dir(bpy.types) if n.startswith('PCGS_')]"
    assert blender.value(left) == []
    assert not blender.value("hasattr(bpy.types.Object, 'pcgs')")
    blender.python("bpy.ops.preferences.addon_enable(module='bl_ext.user_default.pcgs')")
    assert blender.value("hasattr(bpy.types.Object, 'pcgs')")
    repo = "[r.module for r in bpy.context.preferences.extensions.repos].index('user_default')"
    blender.python(f"bpy.ops.extensions.package_uninstall(repo_index={repo}, pkg_id='pcgs')")
    assert not blender.value("hasattr(bpy.types.Object, 'pcgs')")
    assert running_engines(blender) == []


def test_13_log_holds_no_error(journey: Journey) -> None:
    assert journey.faults() == []
