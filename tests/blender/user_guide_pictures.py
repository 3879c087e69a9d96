"""Makes the pictures of the user guide from the real add-on: `nox -s screenshots`.

One session of Blender 4.3, one picture or two a step; they go to docs/images as `addon_*.png`.
Not collected with the tests (it writes into the tree), but built from the same driver, so a step
that no longer works fails here too. Splats to look at are those of `nox -s demo`
(PCGS_DEMO_FILE, else demo_out/scene.pcgs); the training that is shown is a short one.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from addon_journey import MODULE, Journey, training_values
from gui_blender import GuiBlender
from gui_roots import gui_root

pytestmark = [pytest.mark.journey, pytest.mark.timeout(1500)]
REPOSITORY = Path(__file__).resolve().parents[2]
IMAGES = REPOSITORY / "docs" / "images"
LARGEST_BYTES = 200_000
WIDTH = 1000
"""Of a picture of the whole 3D View, in pixels."""
HOME = "/home/artist"
"""Where a user's files would be: what the panels name is what the guide shows."""
# Inside the sample's room, at the height of a person's eyes; the table is in its middle.
STAND_IN_ROOM = """
import mathutils
def stand(eye, aim, lens):
    space = view3d()[1].spaces.active
    at, to = mathutils.Vector(eye), mathutils.Vector(aim)
    turn = (to - at).to_track_quat('-Z', 'Y').to_matrix().to_4x4()
    space.lens = lens
    space.region_3d.view_perspective = 'PERSP'
    space.region_3d.view_distance = (to - at).length
    space.region_3d.view_location = to
    space.region_3d.view_rotation = turn.to_quaternion()
def stand_in_room():
    stand((-1.05, -2.05, 1.75), (0.22, 0.15, 0.92), 34)
"""
MESHES = """
def add_meshes():
    with_view = dict(window=bpy.context.window_manager.windows[0])
    for kind, place, turn, colour in (
        ('monkey', (0.26, -0.62, 1.08), (-0.1, 0.0, -0.35), (0.55, 0.09, 0.05, 1)),
        ('torus', (0.02, 0.05, 1.08), (0.35, 0.2, 0.0), (0.03, 0.2, 0.6, 1)),
    ):
        with bpy.context.temp_override(**with_view):
            if kind == 'monkey':
                bpy.ops.mesh.primitive_monkey_add(size=0.42, location=place, rotation=turn)
            else:
                bpy.ops.mesh.primitive_torus_add(
                    major_radius=0.62, minor_radius=0.05, location=place, rotation=turn)
            made = bpy.data.objects[-1] if bpy.context.object is None else bpy.context.object
        for face in made.data.polygons:
            face.use_smooth = True
        paint = bpy.data.materials.new(kind)
        paint.use_nodes = True
        paint.diffuse_color = colour
        paint.node_tree.nodes['Principled BSDF'].inputs['Base Color'].default_value = colour
        made.data.materials.append(paint)
"""


@pytest.fixture(scope="module")
def demo_file() -> Path:
    """A well-trained file of the embedded sample."""
    path = Path(os.environ.get("PCGS_DEMO_FILE") or REPOSITORY / "demo_out" / "scene.pcgs")
    if not path.is_file():
        pytest.fail(f"{path} is not there; run nox -s demo first, or name one as PCGS_DEMO_FILE")
    return path


@pytest.fixture(scope="module")
def journey(
    tmp_path_factory: pytest.TempPathFactory,
    addon_zip: Path,
    engine_python: Path,
    engine_folders: list[Path],
    demo_file: Path,
) -> Iterator[Journey]:
    root = gui_root("trixie")
    work = tmp_path_factory.mktemp("guide")
    (work / "demo.pcgs").write_bytes(demo_file.read_bytes())
    # Blender is allowed the network, as it is for most users; here there is none to be reached.
    blender = GuiBlender(root, work, engine_folders, ["--online-mode"], limit=2400)
    try:
        journey = Journey(blender, addon_zip, engine_python, IMAGES)
        blender.shell(f"cp {work}/demo.pcgs {HOME}/room.pcgs")
        blender.python(STAND_IN_ROOM + MESHES)
        yield journey
    finally:
        blender.stop()


def keep(journey: Journey, name: str, crop: tuple[int, int, int, int], width: int = 0) -> None:
    """Write a part of the screen (x, y, width, height from the top left) as one picture."""
    blender = journey.blender
    blender.settle(4)
    time.sleep(0.3)
    blender.settle(2)
    x, y, wide, high = crop
    resized = f"-filter Lanczos -resize {width}x" if width else ""
    inside = f"{blender.work}/{name}.png"
    blender.shell(f"import -window root -crop {wide}x{high}+{x}+{y} +repage {inside}")
    quantize(journey, name, resized)


def quantize(journey: Journey, name: str, options: str = "", dither: str = "None") -> None:
    """Shrink a picture in the work folder to a palette and move it to the guide's."""
    blender = journey.blender
    for colours in (256, 128, 64):
        out = f"{blender.work}/{name}_small.png"
        paint = f"-dither {dither} -colors {colours} -strip -define png:compression-level=9"
        blender.shell(f"convert {blender.work}/{name}.png {options} {paint} PNG8:{out}")
        data = Path(out).read_bytes()
        if len(data) < LARGEST_BYTES:
            (IMAGES / f"addon_{name}.png").write_bytes(data)
            return
    raise AssertionError(f"{name}.png has {len(data)} bytes with {colours} colours")


def area_crop(journey: Journey) -> tuple[int, int, int, int]:
    """Return where the 3D View is on the screen."""
    where = "[getattr(view3d()[1], n) for n in ('x', 'y', 'width', 'height')]"
    x, y, width, height = journey.blender.value(where)  # type: ignore[misc]
    return x, 900 - y - height, width, height


def keep_view(journey: Journey, name: str) -> None:
    """Write the 3D View with its sidebar."""
    journey.blender.hover((400, 120))  # away from buttons: no tooltip, no highlight
    keep(journey, name, area_crop(journey), WIDTH)


def test_installed(journey: Journey) -> None:
    blender = journey.blender
    journey.install()
    journey.clear_scene()
    blender.python(f"bpy.ops.wm.save_as_mainfile(filepath='{HOME}/room.blend')")
    blender.open_sidebar("PCGS")
    keep_view(journey, "installed")


def test_set_up_dialog(journey: Journey) -> None:
    blender = journey.blender
    # Debian's Python makes no environments (and says so); the Blender of blender.org does.
    blender.python(
        f"requests = sys.modules['{MODULE}.setup.requests']\nfault = requests.python_fault\n"
        "requests.python_fault = lambda: ''"
    )
    blender.hover((420, 330))
    blender.python(
        "with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):\n"
        "    bpy.ops.pcgs.set_up_engine('INVOKE_DEFAULT')"
    )
    keep(journey, "setup", (4, 270, 570, 320))
    blender.key("Escape")
    blender.python("requests.python_fault = fault")


def test_images_and_cameras(journey: Journey) -> None:
    blender = journey.blender
    journey.choose_sample()
    journey.choose_engine()
    blender.wait("engine.scan is not None", 200)
    blender.python(
        "before = set(bpy.data.objects)\nbpy.ops.pcgs.show_cameras()\n"
        "made = set(bpy.data.objects) - before\nfor o in made: o.select_set(o.type == 'CAMERA')\n"
        "for o in made:\n    if o.type == 'CAMERA': o.data.display_size = 0.5\n"
        "stand((-5.6, -6.4, 5.4), (0.6, 0, 0.9), 50)"
    )
    keep_view(journey, "cameras")
    blender.python("for o in made: bpy.data.objects.remove(o)\nstand_in_room()")


def test_training_and_a_killed_engine(journey: Journey) -> None:
    blender = journey.blender
    journey.set_tiny(iterations=800, max_size=160, preview_seconds=4)
    journey.press_train()
    for value in training_values(journey, 900.0):
        if value >= 300:
            break
    assert blender.value("job_stage()") == "TRAINING", blender.value("engine.job.state.error")
    keep_view(journey, "training")
    blender.wait("engine.job.has_checkpoint", 120)
    blender.shell(f"kill -9 {blender.value('engine.job.engine_pid')}")
    blender.wait("engine.running_job is None", 30)
    keep_view(journey, "resume")


def test_levels(journey: Journey) -> None:
    blender = journey.blender
    blender.python("for o in splats(): bpy.data.objects.remove(o)")
    call = f"bpy.ops.import_scene.pcgs(filepath='{HOME}/room.pcgs')"
    assert blender.value(call) == {"FINISHED"}
    journey.decoded()
    blender.python(
        "bpy.context.scene.pcgs.image_folder = ''\nengine.run = engine.job = None\n"
        "bpy.ops.wm.save_mainfile()"
    )
    blender.python("stand_in_room()\nbpy.context.object.pcgs.level = 2")
    keep_view(journey, "level")


def test_export_dialog(journey: Journey) -> None:
    blender = journey.blender
    # In a window of its own, so that the 3D View stays for the driver.
    blender.python(
        "bpy.context.preferences.view.filebrowser_display_type = 'WINDOW'\n"
        "bpy.ops.export_scene.pcgs('INVOKE_DEFAULT', limit='SIZE', megabytes=0.3)"
    )
    blender.wait("len(bpy.context.window_manager.windows) == 2")
    blender.settle(6)
    where = "[getattr(bpy.context.window_manager.windows[1], n) for n in ('width', 'height')]"
    width, height = blender.value(where)  # type: ignore[misc]
    found = blender.shell("xdotool search --name 'Blender' getwindowgeometry %@ | grep Position")
    x, y = found.splitlines()[-1].split()[1].split(",")
    places = int(width * 0.224)  # left of the files, with what this machine has
    keep(journey, "export", (int(x) + places, int(y), width - places, height))
    blender.python(
        "with bpy.context.temp_override(window=bpy.context.window_manager.windows[1]):\n"
        "    bpy.ops.wm.window_close()"
    )


def test_meshes_in_the_viewport_and_in_a_render(journey: Journey) -> None:
    blender = journey.blender
    blender.python(
        "add_meshes()\nview3d()[1].spaces.active.shading.color_type = 'MATERIAL'\n"
        "bpy.ops.object.select_all(action='DESELECT')\n"
        "view3d()[1].spaces.active.show_region_ui = False"
    )
    keep_view(journey, "viewport")
    blender.python(
        "scene = bpy.context.scene\nscene.render.engine = 'CYCLES'\n"
        "scene.cycles.samples, scene.cycles.use_denoising = 48, False\n"
        "scene.render.resolution_x, scene.render.resolution_y = 720, 480\n"
        "with bpy.context.temp_override(window=bpy.context.window_manager.windows[0],"
        " area=view3d()[1], region=view3d()[2]):\n"
        "    bpy.ops.view3d.camera_to_view()\n"
        "lamp = bpy.data.objects['Light']\n"
        "lamp.location, lamp.data.energy = (-1.4, -2.6, 2.6), 250\n"
        "scene.camera.data.lens = 30\nsplats()[0].pcgs.render_level = 3\ndone = []\n"
        "bpy.app.handlers.render_complete.append(lambda *_: done.append(1))"
    )
    blender.hover((500, 500))
    blender.shell("xdotool key 96")  # F12 by its code
    blender.wait("bool(done)", 400)
    picture = f"{blender.work}/render.png"
    blender.python(f"bpy.data.images['Render Result'].save_render({picture!r})")
    quantize(journey, "render", dither="FloydSteinberg")


def test_log_holds_no_error(journey: Journey) -> None:
    assert journey.faults() == []
