"""Keeps splat files and Blender's objects in step: timer and handlers, on the main thread.

- A timer, alive while files are held: redraws the views when a decoding thread has something new,
  brings boxes and level ranges up to date, looks at files that may change.
- Handlers: forget files that no object shows any more (delete, undo, load), open those of a .blend
  just loaded.
Handlers alone must do in background mode, where timers never run.
"""

import time

import bpy
from bpy.app.handlers import persistent

from ..files import SplatFile, splat_files
from ..status_bar import redraw_status_bar
from .box_mesh import update_box
from .file_of_object import file_of_object, identity_of_object, splat_objects

__all__ = ["collect", "register", "sync_objects", "unregister", "wake", "working_files"]

BUSY_SECONDS = 0.1
IDLE_SECONDS = 1.0
GRACE_SECONDS = 3.0
"""How long a file nobody shows is kept: undo and redo often bring it back."""


class _Seen:
    """What the last tick saw."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget, so that the next tick does everything."""
        self.version: int | None = None
        self.shares: tuple[float, ...] = ()
        self.objects = -1
        self.collect_at: float | None = None
        """Time of the next collection, where one is due."""


_seen = _Seen()


def wake() -> None:
    """Let the timer run; call after anything that opens a file."""
    if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=0.02, persistent=True)


def working_files() -> list[SplatFile]:
    """Return the files that are being decoded now."""
    return [file for file in splat_files if file.state.working]


def collect() -> None:
    """Forget files that no object shows."""
    used = {identity_of_object(obj) for obj in splat_objects()}
    splat_files.keep_only({identity for identity in used if identity})


def collect_soon() -> None:
    """Forget files that no object shows after a while; at once where no timer runs."""
    _seen.objects = len(bpy.data.objects)
    if bpy.app.background:
        collect()
    else:
        _seen.collect_at = time.monotonic() + GRACE_SECONDS
        wake()


def sync_objects() -> None:
    """Bring box and number of levels of every splat object up to date with its file."""
    for obj in splat_objects():
        file = file_of_object(obj)
        if file is not None:
            _sync_object(obj, file)


def _sync_object(obj: bpy.types.Object, file: SplatFile) -> None:
    settings = obj.pcgs
    if obj.library is None and file.levels and settings.levels != file.levels:
        settings.levels = file.levels
        # Assigning brings a level that stood for "all there are" into range.
        settings.level = settings.level
        settings.render_level = settings.render_level
    bounds = file.bounds(1)
    if bounds is not None and obj.data.library is None and obj.mode == "OBJECT":
        update_box(obj.data, bounds)


def _tick() -> float | None:
    """Timer: returns when to come again."""
    if not len(splat_files):
        _seen.reset()
        return None
    if _seen.collect_at is not None and time.monotonic() >= _seen.collect_at:
        _seen.collect_at = None
        collect()
    splat_files.refresh()
    version = splat_files.version
    shares = tuple(file.progress for file in working_files())
    if version != _seen.version:
        _seen.version = version
        sync_objects()
        _redraw(("VIEW_3D", "PROPERTIES"))
    if shares != _seen.shares:
        _seen.shares = shares
        _redraw(("VIEW_3D",), region="UI")
        redraw_status_bar()
    return BUSY_SECONDS if working_files() else IDLE_SECONDS


def _redraw(area_types: tuple[str, ...], region: str | None = None) -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in area_types:
                for part in area.regions:
                    if region in (None, part.type):
                        part.tag_redraw()


@persistent
def _after_depsgraph(_scene: bpy.types.Scene, _depsgraph: bpy.types.Depsgraph) -> None:
    # The number of objects is all that can be asked on every update without being felt.
    if len(bpy.data.objects) != _seen.objects and len(splat_files):
        collect_soon()


@persistent
def _after_undo(*_: object) -> None:
    _seen.reset()
    sync_objects()
    collect_soon()


@persistent
def _after_load(*_: object) -> None:
    _seen.reset()
    collect()
    sync_objects()
    wake()


_HANDLERS = (
    ("depsgraph_update_post", _after_depsgraph),
    ("undo_post", _after_undo),
    ("redo_post", _after_undo),
    ("load_post", _after_load),
)


def register() -> None:
    """Add the handlers; open the files of a .blend that is already there."""
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)
    if not bpy.app.background:
        # Data cannot be reached while add-ons register at start-up; the timer comes after it.
        bpy.app.timers.register(_open_present, first_interval=0.1)


def unregister() -> None:
    """Remove handlers and timers, stop all threads, forget all files."""
    for timer in (_tick, _open_present):
        if bpy.app.timers.is_registered(timer):
            bpy.app.timers.unregister(timer)
    for name, handler in reversed(_HANDLERS):
        handlers = getattr(bpy.app.handlers, name)
        if handler in handlers:
            handlers.remove(handler)
    splat_files.clear()
    _seen.reset()


def _open_present() -> None:
    _after_load()
