"""The life of an installed add-on in a real Blender: used, disabled, upgraded in use, removed.

One session a Blender, one test a step. What test_install_in_bpy.py asks of the files and modules,
here with a window that draws splats all the time. Pictures of every step go to PCGS_SCREENSHOTS.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from addon_journey import MODULE, NAMES_INSIDE, Journey
from changed_zips import NEWER
from gui_blender import GuiBlender
from gui_roots import gui_root

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.timeout(600)]
TRAINED = Path(__file__).resolve().parents[1] / "golden" / "trained.pcgs"
WORDS = Path(__file__).with_name("inside_bpy.py")
VISIBLE_PIXELS = 3000
SAME_PIXELS = 200
DRAW_ALL_THE_TIME = """
def draw_again():
    view3d()[1].tag_redraw()
    return 0.1
bpy.app.timers.register(draw_again, persistent=True)
"""
PREFERENCES = """
bpy.ops.screen.userpref_show("INVOKE_DEFAULT")
bpy.context.preferences.active_section = "ADDONS"
bpy.context.window_manager.addon_search = "pcgs"
bpy.ops.preferences.addon_expand(module="bl_ext.user_default.pcgs")
"""
CLOSE_PREFERENCES = """
for window in bpy.context.window_manager.windows[1:]:
    with bpy.context.temp_override(window=window):
        bpy.ops.wm.window_close()
"""


class Installed(Journey):
    """A journey with the steps that change what is installed."""

    newer: Path

    def upgrade(self) -> None:
        """Install the higher version over the one in use."""
        self.zip = self.blender.work / self.newer.name
        self.zip.write_bytes(self.newer.read_bytes())
        self.install()

    def look(self, name: str) -> None:
        """Photograph the preferences beside the scene."""
        self.blender.python(PREFERENCES)
        self.blender.settle(6)
        self.show(name)
        self.blender.python(CLOSE_PREFERENCES)
        self.blender.settle()

    def left_behind(self) -> list[str]:
        """Return files of the add-on in the user's folders; the shared ones are elsewhere."""
        command = r"find /home/artist /tmp -xdev \( -name '*pcgs*' -o -name '*plyfile*' \)"
        return self.blender.shell(f"{command} -not -path '{self.blender.work}*'").splitlines()


@pytest.fixture(scope="module", params=["trixie", "sid"])
def journey(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    addon_zip: Path,
    newer_addon_zip: Path,
    screenshots: Path,
) -> Iterator[Installed]:
    root = gui_root(request.param)
    work = tmp_path_factory.mktemp(f"install_{request.param}")
    blender = GuiBlender(root, work, [])
    try:
        # No engine is used here: the viewer's half works without one.
        journey = Installed(blender, addon_zip, Path(), screenshots / request.param)
        journey.newer = newer_addon_zip
        (work / "scene.pcgs").write_bytes(TRAINED.read_bytes())
        blender.python(WORDS.read_text())
        blender.python("before = Traces()\n" + DRAW_ALL_THE_TIME)
        yield journey
    finally:
        blender.stop()


@pytest.fixture(scope="module")
def views() -> dict[str, str]:
    """Pictures of the view that later steps compare with."""
    return {}


def test_01_zip_is_installed_and_enabled(journey: Installed) -> None:
    journey.install()
    journey.clear_scene()
    journey.look("30_installed")
    assert journey.blender.value("enabled()")


def test_02_file_is_shown_and_the_slider_moves(
    journey: Installed, views: dict[str, str]
) -> None:  # fmt: skip
    blender = journey.blender
    path = str(blender.work / "scene.pcgs")
    assert blender.value(f"bpy.ops.import_scene.pcgs(filepath={path!r})") == {"FINISHED"}
    journey.decoded()
    blender.open_sidebar("PCGS")
    blender.python("bpy.ops.view3d.view_selected()")
    blender.python("obj = splat_object()")
    views["level 3"] = journey.view("before_3")
    blender.python("obj.pcgs.level = 0")
    assert journey.differing_pixels(journey.view("box"), views["level 3"]) > VISIBLE_PIXELS
    journey.set_level(1)
    views["level 1"] = journey.view("before_1")
    blender.python("obj.pcgs.level = 3")
    journey.show("31_used")
    assert len(blender.value("library_maps()")) == 1  # type: ignore[arg-type]
    blender.python("used = Traces()")


def test_03_disabled_add_on_leaves_nothing_and_comes_back(
    journey: Installed, views: dict[str, str]
) -> None:
    blender = journey.blender
    blender.python("disable()")
    blender.settle(6)
    assert blender.value("before.differences(Traces())") == []
    journey.look("32_disabled")
    blender.python("enable()")
    blender.python(NAMES_INSIDE)
    blender.wait("len(files) and not any(f.state.working for f in files)")
    journey.decoded()
    assert journey.differing_pixels(views["level 3"], journey.view("again")) < SAME_PIXELS
    journey.show("33_enabled_again")
    assert blender.value("used.differences(Traces())") == []


def test_04_higher_version_takes_over_while_splats_are_drawn(
    journey: Installed, views: dict[str, str]
) -> None:
    blender = journey.blender
    journey.upgrade()
    blender.wait("len(files) and not any(f.state.working for f in files)")
    journey.decoded()
    blender.python("import pcgs_engine, pcgs_engine.errors")
    versions = "(pcgs_engine.__version__, pcgs_engine.errors.NEW_IN_99, module('ids').NEW_IN_99)"
    assert blender.value(versions) == (NEWER, True, True)
    assert journey.differing_pixels(views["level 3"], journey.view("upgraded")) < SAME_PIXELS
    assert blender.value("used.differences(Traces())") == []
    loaded = blender.value("library_maps()")
    assert not [path for path in loaded if path.endswith("(deleted)")]  # type: ignore[attr-defined]
    journey.set_level(1)
    assert journey.differing_pixels(views["level 1"], journey.view("upgraded_1")) < SAME_PIXELS
    journey.look("34_upgraded")


def test_05_removed_add_on_leaves_nothing(journey: Installed) -> None:
    blender = journey.blender
    assert blender.value("remove()") == {"FINISHED"}
    blender.settle(6)
    assert blender.value("before.differences(Traces())") == []
    assert journey.left_behind() == []
    journey.show("35_removed")


def test_06_installs_again_after_removal(journey: Installed) -> None:
    """The objects in the file are still there, and find their splats."""
    journey.install()
    blender = journey.blender
    blender.wait("len(files) and not any(f.state.working for f in files)")
    assert blender.value("decoded(splat_object())") == 3
    assert MODULE in str(blender.value("our_modules()"))


def test_07_log_holds_no_error(journey: Installed) -> None:
    assert journey.faults() == []
