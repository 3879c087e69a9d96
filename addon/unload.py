"""Lets go of what Python and the system keep of the add-on; names a package it was left without.

Blender deletes and swaps the files right after `unregister`: add-on and wheels on an upgrade, the
wheels whenever it is disabled. Modules that stay would then run beside files of another version
(Blender drops the add-on's own, and only where it was enabled), and Windows deletes no library
that is loaded: what Blender unpacks over it comes out broken.
"""

import contextlib
import logging
import sys
import threading
from pathlib import Path

from .ids import ADDON_PACKAGE

__all__ = ["forget_modules", "let_go", "missing_package"]

ENGINE_PACKAGES = ("pcgs_engine", "plyfile")
"""Packages that the zip brings as wheels."""
EXTENSIONS = "bl_ext."
"""A source checkout is elsewhere: no Blender swaps its files."""
THREAD_NAME = "pcgs"
"""What the names of our threads begin with."""
log = logging.getLogger(__name__)


def let_go() -> None:
    """Unload the decoder's library and drop the modules; the last act of `unregister`."""
    if not ADDON_PACKAGE.startswith(EXTENSIONS):
        return
    busy = [thread.name for thread in threading.enumerate() if thread.name.startswith(THREAD_NAME)]
    if busy:
        # It would crash. Windows then needs a restart, which Blender asks for by itself.
        log.warning("the decoder stays loaded: %s has not ended", ", ".join(busy))
    else:
        from pcgs_engine.native import unload_native

        unload_native()
    _drop_left_cache()
    forget_modules()


def _drop_left_cache() -> None:
    """Delete the compiled plyfile: Blender deletes the folders of wheels, and that is one file."""
    cached = getattr(sys.modules.get("plyfile"), "__cached__", None)
    if cached and ".local" in Path(cached).parts:
        with contextlib.suppress(OSError):
            Path(cached).unlink(missing_ok=True)


def missing_package(error: ModuleNotFoundError) -> ImportError | None:
    """Return what to tell the user where a package of the zip is missing; None: another fault."""
    package = (error.name or "").partition(".")[0]
    if package not in ENGINE_PACKAGES:
        return None
    return ImportError(
        f"PCGS was installed without its package {package}: the zip is damaged or could not be "
        "unpacked. Free some disk space if there is little, fetch the zip again, install it with "
        "Get Extensions > Install from Disk, and restart Blender",
        name=package,
    )


def forget_modules() -> None:
    """Make the next import read the files again."""
    if not ADDON_PACKAGE.startswith(EXTENSIONS):
        return
    # plyfile stays: it may be another add-on's as well, and holds nothing open.
    dropped = (ADDON_PACKAGE, ENGINE_PACKAGES[0])
    for name in tuple(sys.modules):
        if name in dropped or name.startswith(tuple(f"{package}." for package in dropped)):
            sys.modules.pop(name, None)
