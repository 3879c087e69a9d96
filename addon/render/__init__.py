"""Renders: F12 and animation renders of any engine contain the splats (see setup, engine)."""

from . import session
from .engine import PCGS_RE_splats, PCGS_RE_splats_cpu

__all__ = ["CLASSES", "register", "unregister"]

CLASSES: tuple[type, ...] = (PCGS_RE_splats, PCGS_RE_splats_cpu)


def register() -> None:
    """Add handlers."""
    session.register()


def unregister() -> None:
    """Remove them; helper scenes are left empty."""
    session.unregister()
