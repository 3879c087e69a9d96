"""What has to happen when: loading, saving, start of a render, another view transform."""

import os

import bpy
from bpy.app.handlers import persistent

from .failure import render_failure
from .gpu_probe import gpu_is_there
from .setup import refresh_groups
from .splats_scene import choose_processor, link_sets, unlink_sets

__all__ = ["register", "unregister", "use_gpu"]

DEVICE_VARIABLE = "PCGS_RENDER_DEVICE"
"""`cpu` or `gpu` in the environment: no probing (render farms, tests)."""

_subscriber = object()


def use_gpu() -> bool:
    """Return whether renders draw splats on the GPU."""
    wanted = os.environ.get(DEVICE_VARIABLE, "")
    return gpu_is_there() if wanted not in ("cpu", "gpu") else wanted == "gpu"


@persistent
def _on_load(*_: object) -> None:
    link_sets()
    refresh_groups()
    _subscribe()


@persistent
def _on_save(*_: object) -> None:
    unlink_sets()


@persistent
def _on_saved(*_: object) -> None:
    link_sets()


@persistent
def _on_render(*_: object) -> None:
    # With a window this runs in the render's thread, where data must be left alone; there the
    # GPU is at hand and the message bus has told of a new view transform.
    if bpy.app.background:
        link_sets()
        refresh_groups()
        choose_processor(gpu=use_gpu())


HANDLERS = (
    ("load_post", _on_load),
    ("save_pre", _on_save),
    ("save_post", _on_saved),
    ("save_post_fail", _on_saved),
    ("render_init", _on_render),
)


def register() -> None:
    """Add handlers and the subscription."""
    for name, function in HANDLERS:
        if hasattr(bpy.app.handlers, name):
            getattr(bpy.app.handlers, name).append(function)
    _subscribe()
    if hasattr(bpy.data, "scenes"):  # not while Blender starts; then a file is loaded next
        link_sets()


def unregister() -> None:
    """Remove them."""
    bpy.msgbus.clear_by_owner(_subscriber)
    for name, function in reversed(HANDLERS):
        handlers = getattr(bpy.app.handlers, name, [])
        if function in handlers:
            handlers.remove(function)
    render_failure.clear()
    unlink_sets()


def _subscribe() -> None:
    bpy.msgbus.clear_by_owner(_subscriber)
    bpy.msgbus.subscribe_rna(
        key=(bpy.types.ColorManagedViewSettings, "view_transform"),
        owner=_subscriber,
        args=(),
        notify=refresh_groups,
    )
