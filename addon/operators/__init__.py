"""Operators: one a file; each file lists its classes."""

from types import ModuleType

from . import (
    add_to_render,
    cancel,
    cancel_setup,
    check_engine,
    export_pcgs,
    export_ply,
    find_file,
    import_pcgs,
    make_point_cloud,
    pack_file,
    pause,
    reload_file,
    remove_engine,
    remove_from_render,
    resume,
    scan_images,
    set_level,
    set_up_engine,
    show_cameras,
    show_result,
    stop_decoding,
    train,
    unpack_file,
    use_sample,
)

__all__ = ["CLASSES", "MODULES"]

MODULES: tuple[ModuleType, ...] = (
    add_to_render,
    cancel,
    cancel_setup,
    check_engine,
    export_pcgs,
    export_ply,
    find_file,
    import_pcgs,
    make_point_cloud,
    pack_file,
    pause,
    reload_file,
    remove_engine,
    remove_from_render,
    resume,
    scan_images,
    set_level,
    set_up_engine,
    show_cameras,
    show_result,
    stop_decoding,
    train,
    unpack_file,
    use_sample,
)
"""One line each, sorted by name; `register()`/`unregister()` of a module add and remove menus."""

CLASSES: tuple[type, ...] = tuple(cls for module in MODULES for cls in module.CLASSES)


def register() -> None:
    """Add menu entries."""
    for module in MODULES:
        if hasattr(module, "register"):
            module.register()


def unregister() -> None:
    """Remove them."""
    for module in reversed(MODULES):
        if hasattr(module, "unregister"):
            module.unregister()
