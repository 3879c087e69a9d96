"""The engine's part of a Blender session: a timer that polls, handlers, and the end.

A timer and not a modal operator: Blender postpones its autosave as long as any modal operator
runs, and a modal operator dies with its window. Pause and Cancel are buttons; a stray Esc in
hours of training stops nothing.
"""

from collections.abc import Callable

import bpy
from bpy.app.handlers import persistent

from .registry import engine_registry
from .requests import image_folder, refresh_run, start_scan
from .training_view import show_preview, show_result

__all__ = ["CLASSES", "finish_job", "register", "start_polling", "step", "unregister"]

CLASSES: tuple[type, ...] = ()
SECONDS = 0.1
"""Between two looks at the engine."""


def start_polling() -> None:
    """Poll by timer until nothing is at work; in background mode callers wait instead."""
    if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=SECONDS, persistent=True)


def step() -> bool:
    """Take what checks, scans and the job have to tell; returns whether anything changed."""
    return any([_take_check(), _take_scan(), _take_job(), _take_leaving()])


def finish_job() -> None:
    """Bring the end of a job into the scene it belongs to."""
    job = engine_registry.job
    if job is None:
        return
    if job.report is not None:
        engine_registry.report = job.report
    scene = bpy.data.scenes.get(job.scene_name)
    if scene is not None:
        refresh_run(scene)
        show_result(scene, job)


def redraw() -> None:
    """Redraw what shows the engine: 3D views with their sidebars, and the preferences."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"VIEW_3D", "PREFERENCES"}:
                area.tag_redraw()


def register() -> None:
    """Add the handlers and look at the open file."""
    bpy.app.handlers.load_pre.append(_before_load)
    bpy.app.handlers.load_post.append(_after_load)
    engine_registry.on_folder, engine_registry.on_engine = _on_folder, _on_engine
    if not bpy.app.background:
        # Blender's data may not be looked at while add-ons register.
        bpy.app.timers.register(_look_at_file, first_interval=SECONDS)


def unregister() -> None:
    """Remove handlers and timers; a running engine saves a checkpoint and ends by itself."""
    for timer in (_tick, _look_at_file):
        if bpy.app.timers.is_registered(timer):
            bpy.app.timers.unregister(timer)
    _remove(bpy.app.handlers.load_post, _after_load)
    _remove(bpy.app.handlers.load_pre, _before_load)
    engine_registry.clear()


def _tick() -> float | None:
    if step():
        redraw()
    return SECONDS if engine_registry.busy else None


def _take_check() -> bool:
    task = engine_registry.check
    if task is None or not task.done:
        return False
    engine_registry.check, engine_registry.report = None, task.result
    if task.result is not None and task.result.usable:
        _on_engine()
    return True


def _take_scan() -> bool:
    task = engine_registry.scan_task
    if task is None or not task.done:
        return False
    engine_registry.scan_task = None
    answer = task.result
    if answer is None:
        engine_registry.scan_error = task.error
    else:
        engine_registry.report = answer.report
        engine_registry.scan, engine_registry.scan_error = answer.scan, answer.error
    return True


def _take_job() -> bool:
    job = engine_registry.running_job
    if job is None:
        return False
    changed = job.poll()
    if not job.running:
        finish_job()
        return True
    scene = bpy.data.scenes.get(job.scene_name)
    preview = job.state.preview
    shown = scene is not None and scene.pcgs.preview
    if shown and preview and preview.iteration != engine_registry.shown_preview:
        first = engine_registry.shown_preview < 0
        engine_registry.shown_preview = preview.iteration
        show_preview(scene, job, first=first)
    return changed


def _take_leaving() -> bool:
    """Look again once the engine of a file that was left has written its checkpoint."""
    job = engine_registry.leaving
    if job is None:
        return False
    job.poll()
    if job.running:
        return False
    engine_registry.leaving = None
    refresh_run(bpy.context.scene)
    return True


@persistent
def _before_load(*_: object) -> None:
    # The scene the job belongs to goes away: its run is offered for Resume when it comes back.
    engine_registry.abandon_job()
    engine_registry.forget_scan()
    if engine_registry.leaving is not None:
        start_polling()


@persistent
def _after_load(*_: object) -> None:
    _look_at_file()


def _on_folder(scene: bpy.types.Scene) -> None:
    """Look at a folder at once where there is a window to show the findings in."""
    folder = image_folder(scene)
    if folder is None:
        return
    if not bpy.app.background:
        start_scan(bpy.context, folder)
        start_polling()
    refresh_run(scene)


def _on_engine() -> None:
    """Read the folder that could not be read without an engine."""
    if engine_registry.scan is None:
        _on_folder(bpy.context.scene)


def _look_at_file() -> None:
    refresh_run(bpy.context.scene)


def _remove(handlers: list[Callable[..., None]], handler: Callable[..., None]) -> None:
    if handler in handlers:
        handlers.remove(handler)
