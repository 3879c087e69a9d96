"""Inside the GUI Blender (`--python listener.py`): runs the Python that a test drops in a folder.

A file NAME.py in PCGS_TEST_WORK/python runs from a timer of the main loop, so the window lives and
is drawn between two of them; its output, and the traceback if it failed, appears as NAME.out.
"""

import contextlib
import faulthandler
import io
import os
import traceback
from pathlib import Path

import bpy

WORK = Path(os.environ["PCGS_TEST_WORK"])
NAMES = {"bpy": bpy, "WORK": WORK, "__name__": "listener"}
PAUSE = 0.02


def view3d():
    """Return window, area and main region of the first 3D View."""
    window = bpy.context.window_manager.windows[0]
    area = next(a for a in window.screen.areas if a.type == "VIEW_3D")
    return window, area, next(r for r in area.regions if r.type == "WINDOW")


def sidebar():
    """Return the sidebar's region."""
    return next(r for r in view3d()[1].regions if r.type == "UI")


def hovered():
    """Return what the button under the pointer is: `bpy.ops....` or a property's path, or ''."""
    window, area, _ = view3d()
    manager = bpy.context.window_manager
    with bpy.context.temp_override(window=window, area=area, region=sidebar()):
        manager.clipboard = ""
        if bpy.ops.ui.copy_python_command_button.poll():
            bpy.ops.ui.copy_python_command_button()
        elif bpy.ops.ui.copy_data_path_button.poll():
            bpy.ops.ui.copy_data_path_button(full_path=True)
    return manager.clipboard


def answer_requests():
    """Run every waiting file; called by Blender again and again."""
    for path in sorted((WORK / "python").glob("*.py")):
        code = path.read_text()
        path.unlink()
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            try:
                window, area, region = view3d()
                with bpy.context.temp_override(window=window, area=area, region=region):
                    exec(compile(code, path.name, "exec"), NAMES)  # noqa: S102 - the tests' own
            except BaseException:  # noqa: BLE001 - told to the test
                output.write(traceback.format_exc())
        part = path.with_suffix(".part")
        part.write_text(output.getvalue())
        part.rename(path.with_suffix(".out"))
    return PAUSE


def announce():
    """Say that the first window has been up for a moment."""
    (WORK / "ready").write_text(bpy.app.version_string)
    bpy.app.timers.register(answer_requests, persistent=True)


faulthandler.enable((WORK / "crash.txt").open("w"))
NAMES.update(view3d=view3d, sidebar=sidebar, hovered=hovered)
bpy.context.preferences.view.show_splash = False
bpy.context.preferences.view.filebrowser_display_type = "SCREEN"
bpy.context.preferences.view.render_display_type = "WINDOW"
bpy.context.preferences.inputs.use_mouse_continuous = False
bpy.app.timers.register(announce, first_interval=1.0, persistent=True)
