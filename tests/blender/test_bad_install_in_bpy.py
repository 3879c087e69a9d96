"""What a user may install, or install to: broken zips, no room, a folder that cannot be written.

Each time a message, no traceback, and a Blender that goes on. Needs bpy; skipped where it is
absent. Wrong hashes, no network and a full disk of the engine's set-up: tests/addon/test_setup_*.
"""

import os
import subprocess
from pathlib import Path

import pytest
from bpy_process import BpyUser
from changed_zips import cut_zip, damaged_zip, unlisted_wheel_zip, without_wheel_zip

NEXT_STEP = "fetch the zip again, install it with"
USE = """
def use():
    assert enabled()
    assert bpy.ops.import_scene.pcgs(filepath=splat_file) == {"FINISHED"}
    assert len(set(slide(bpy.context.object))) == 3
"""


@pytest.mark.parametrize("change", [without_wheel_zip, unlisted_wheel_zip])
def test_zip_that_lacks_a_wheel_is_told_and_a_good_one_mends_it(
    user: BpyUser, addon_zip: Path, change
) -> None:
    bad = change(addon_zip, user.home)
    user.session(
        USE
        + f"""
told = blender_says(install, {str(bad)!r})
assert "without its package pcgs_engine" in told and {NEXT_STEP!r} in told, told
assert not enabled() and our_modules() == []
assert install({str(addon_zip)!r}) == {{"FINISHED"}}
use()
"""
    )


@pytest.mark.parametrize("change", [damaged_zip, cut_zip])
def test_damaged_zip_leaves_the_installed_version_at_work(
    user: BpyUser, addon_zip: Path, change
) -> None:
    bad = change(addon_zip, user.home)
    out = user.session(
        USE
        + f"""
assert install({str(addon_zip)!r}) == {{"FINISHED"}}
use()
try:
    install({str(bad)!r})
except RuntimeError as error:
    print(error)
assert len(set(slide(splat_object()))) == 3
use()
"""
    )
    assert "ERROR" in out
    assert "extract" in out


def test_full_disk_is_told_and_room_mends_it(user: BpyUser, addon_zip: Path) -> None:
    """The kernel refuses what goes beyond a size, to Blender's installing process as well."""
    pytest.importorskip("resource", reason="limits of a process are Unix's")
    out = user.session(
        USE
        + f"""
import resource
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, most))
try:
    print(install({str(addon_zip)!r}))
except RuntimeError as error:
    print(error)
assert not enabled() and our_modules() == []
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
assert install({str(addon_zip)!r}) == {{"FINISHED"}}
use()
"""
    )
    assert "File too large" in out


def read_only(folder: Path) -> list[str]:
    """Return a command that runs another one for which a folder cannot be written."""
    if os.geteuid() != 0:
        folder.chmod(0o555)
        return []
    script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", script, str(folder)]
    if subprocess.run([*command, "true"], capture_output=True).returncode != 0:
        pytest.skip("root writes everywhere, and this machine allows no mounts of its own")
    return command


def test_folder_that_cannot_be_written_is_told(user: BpyUser, addon_zip: Path) -> None:
    (user.resources / "extensions").mkdir(parents=True)
    out = user.session(
        f"""
try:
    print(install({str(addon_zip)!r}))
except RuntimeError as error:
    print(error)
assert not enabled() and our_modules() == []
""",
        prefix=read_only(user.resources / "extensions"),
    )
    assert "Read-only" in out or "Permission denied" in out


def test_add_on_in_a_folder_that_cannot_be_written_works(user: BpyUser, addon_zip: Path) -> None:
    """As on a farm, or where an administrator has installed it."""
    user.session(
        f'assert install({str(addon_zip)!r}) == {{"FINISHED"}}\nbpy.ops.wm.save_userpref()'
    )
    user.session(USE + "if not enabled():\n    enable()\nuse()\n", prefix=read_only(user.resources))
