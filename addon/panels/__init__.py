"""Panels: the sidebar tab PCGS in the 3D View, and panels in the Properties editor."""

from types import ModuleType

from . import (
    engine_panel,
    object_panel,
    render_panel,
    train_panel,
)

__all__ = ["CLASSES", "MODULES"]

MODULES: tuple[ModuleType, ...] = (
    engine_panel,
    train_panel,
    object_panel,
    render_panel,
)
"""One line each, in the order they appear in the sidebar."""

CLASSES: tuple[type, ...] = tuple(cls for module in MODULES for cls in module.CLASSES)


def register() -> None:
    """Add what modules need beyond their classes (icons)."""
    for module in MODULES:
        if hasattr(module, "register"):
            module.register()


def unregister() -> None:
    """Remove it."""
    for module in reversed(MODULES):
        if hasattr(module, "unregister"):
            module.unregister()
