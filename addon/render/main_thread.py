"""Runs a function on Blender's main thread, from a render's thread or from there.

A render of the GUI runs in a thread of its own. Reading is safe there, but every property that is
set notifies the window manager, whose queue belongs to the main thread.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import bpy

__all__ = ["on_main_thread"]

R = TypeVar("R")

PATIENCE_SECONDS = 0.1
"""A main thread that does not come waits for this render itself (to draw with the GPU that the
render uses, or for its end after Esc): then nobody can be disturbed, and we go on alone."""


class _Call(Generic[R]):
    """One function, run once, by whoever comes first."""

    def __init__(self, function: Callable[[], R]) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._result: list[R] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        with self._lock:
            if self._done.is_set():
                return
            try:
                self._result.append(self._function())
            except BaseException as error:  # noqa: BLE001 - raised again where it was asked for
                self._error = error
            self._done.set()

    def wait(self) -> None:
        self._done.wait(PATIENCE_SECONDS)

    def result(self) -> R:
        if self._error is not None:
            raise self._error
        return self._result[0]


def on_main_thread(function: Callable[[], R]) -> R:
    """Return what `function()` returns; its error is raised here."""
    call = _Call(function)
    if threading.current_thread() is not threading.main_thread() and not bpy.app.background:
        bpy.app.timers.register(call.run, first_interval=0.0)
        call.wait()
    call.run()
    return call.result()
