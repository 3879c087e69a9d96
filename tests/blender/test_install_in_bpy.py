"""The life of an installed add-on in the bpy module: used, disabled, upgraded in use, removed.

Every user here lives in a folder with spaces and letters that are not ASCII. Needs bpy; skipped
where it is absent. `nox -s addon` runs it.
"""

from pathlib import Path

import pytest
from bpy_process import BpyUser
from changed_zips import NEWER

SHOW = """
def picture(path):
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 4, False
    scene.render.resolution_x, scene.render.resolution_y = 96, 64
    scene.render.image_settings.file_format = "PNG"
    bpy.ops.render.render()
    bpy.data.images["Render Result"].save_render(str(path), scene=scene)
    pixels = list(bpy.data.images.load(str(path)).pixels)
    return len({tuple(round(x, 2) for x in pixels[i:i + 3]) for i in range(0, len(pixels), 4)})
def aim_camera(obj):
    import mathutils
    camera = bpy.context.scene.camera
    low, high = (obj.matrix_world @ mathutils.Vector(obj.bound_box[i]) for i in (0, 6))
    camera.location = (low + high) / 2 + mathutils.Vector((0.3, -0.8, 0.4)) * (high - low).length
    camera.rotation_euler = ((low + high) / 2 - camera.location).to_track_quat("-Z", "Y").to_euler()
"""


@pytest.mark.slow
def test_whole_life_from_install_to_removal(
    user: BpyUser, addon_zip: Path, newer_addon_zip: Path, engine_python: Path
) -> None:
    """Issue 6: nothing in between needs a restart, and nothing stays."""
    user.session(
        SHOW
        + f"""
before = Traces()
assert install({str(addon_zip)!r}) == {{"FINISHED"}}
def choose_engine():
    settings = bpy.context.preferences.addons[MODULE].preferences
    settings.engine_python, settings.device, settings.threads = {str(engine_python)!r}, "cpu", 2
choose_engine()
assert bpy.ops.import_scene.pcgs(filepath=splat_file) == {{"FINISHED"}}
obj = bpy.context.object
shown = slide(obj)
assert len(set(shown)) == 3, shown
aim_camera(obj)
assert bpy.ops.pcgs.remove_from_render() == {{"FINISHED"}}
plain = picture(home / "plain.png")
assert bpy.ops.pcgs.add_to_render() == {{"FINISHED"}}
assert picture(home / "splats.png") > plain + 100, plain
assert len(library_maps()) == 1, library_maps()

used = Traces()
obj.pcgs.level = 2
assert disable() == {{"FINISHED"}}
assert before.differences(Traces()) == [], before.differences(Traces())
assert enable() == {{"FINISHED"}}
assert (obj.pcgs.level, obj.pcgs.filepath) == (2, splat_file)
assert decoded(obj) == 3
assert used.differences(Traces()) == [], used.differences(Traces())

assert install({str(newer_addon_zip)!r}) == {{"FINISHED"}}
choose_engine()
import pcgs_engine, pcgs_engine.errors
assert pcgs_engine.__version__ == {NEWER!r} and pcgs_engine.errors.NEW_IN_99
assert module("ids").NEW_IN_99
assert obj.pcgs.level == 2
assert slide(obj) == shown
assert picture(home / "upgraded.png") > plain + 100
after = Traces()
assert used.differences(after) == [], used.differences(after)
assert not [path for path in after.library if path.endswith("(deleted)")], after.library
for name in our_modules():
    file = getattr(sys.modules[name], "__file__", None)
    assert file is None or Path(file).is_file(), name

assert remove() == {{"FINISHED"}}
assert before.differences(Traces()) == [], before.differences(Traces())
"""
    )
    assert user.left_behind() == []


def test_upgrade_while_disabled_and_downgrade_run_what_is_installed(
    user: BpyUser, addon_zip: Path, newer_addon_zip: Path
) -> None:
    """Blender drops the modules of an add-on only where it was enabled."""
    user.session(
        f"""
def versions():
    import pcgs_engine
    return pcgs_engine.__version__, hasattr(module("ids"), "NEW_IN_99")
assert install({str(addon_zip)!r}) == {{"FINISHED"}}
first = versions()
assert bpy.ops.import_scene.pcgs(filepath=splat_file) == {{"FINISHED"}}
decoded(bpy.context.object)
disable()
assert install({str(newer_addon_zip)!r}) == {{"FINISHED"}}
enable()
assert versions() == ({NEWER!r}, True), versions()
assert decoded(splat_object()) == 3
assert install({str(addon_zip)!r}) == {{"FINISHED"}}
assert versions() == first, versions()
assert decoded(splat_object()) == 3
"""
    )


def test_upgrade_keeps_what_is_beside_the_add_on_and_removal_takes_blenders_folder(
    user: BpyUser, addon_zip: Path, newer_addon_zip: Path
) -> None:
    """Engine and runs outlive an upgrade. Uninstalling deletes the folder that Blender gave."""
    user.session(
        f"""
assert install({str(addon_zip)!r}) == {{"FINISHED"}}
own = module("paths").default_cache_folder()
(own / "engine").mkdir(parents=True)
chosen = home / "chosen cache"
(chosen / "engine").mkdir(parents=True)
assert install({str(newer_addon_zip)!r}) == {{"FINISHED"}}
assert (own / "engine").is_dir()
disable()
assert (own / "engine").is_dir()
enable()
assert remove() == {{"FINISHED"}}
assert not own.exists()
assert (chosen / "engine").is_dir()
"""
    )
    assert user.left_behind() == []
