"""torchac, imported: it compiles itself at its first import, into a folder of the engine's own.

torch marks a running compilation by a file. A process that is killed leaves its mark, and every
later import waits for it without end. Here a lock that the system takes back with the process says
whose turn it is; whatever mark is found under that lock was left behind.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from ..errors import DeviceError
from ..kernels.cache import engine_data_dir

__all__ = ["load_torchac", "torchac_build_dir"]

LONGEST_WAIT = 300.0
"""Seconds to wait for another process that compiles; it takes half a minute on one core."""

_VARIABLE = "TORCH_EXTENSIONS_DIR"


def torchac_build_dir() -> Path:
    """Return the folder of the library compiled for this Python and torch; it need not exist yet.

    Raises:
        ImportError: torch is not installed.
    """
    import torch  # delayed: only this backend needs torch

    version = f"py{sys.version_info.major}{sys.version_info.minor}-torch{torch.__version__}"
    return engine_data_dir() / "extensions" / version


def load_torchac() -> ModuleType:
    """Import torchac, compiling it where this has not been done yet.

    Raises:
        DeviceError: It is not installed, does not compile, or another process has compiled for
            `LONGEST_WAIT` seconds.
    """
    loaded = sys.modules.get("torchac")
    if loaded is not None:
        return loaded
    try:
        return _import_alone(torchac_build_dir())
    except (ImportError, RuntimeError, OSError) as error:
        first = (str(error).splitlines() or [""])[0]
        raise DeviceError(
            f"torchac does not load here ({first}); install the extra `torchac` or choose "
            "--entropy-backend native"
        ) from error


def _import_alone(folder: Path) -> ModuleType:
    from filelock import FileLock, Timeout  # delayed: installed with torch, not with the decoder

    folder.mkdir(parents=True, exist_ok=True)
    try:
        turn = FileLock(folder / "pcgs.lock").acquire(timeout=LONGEST_WAIT)
    except Timeout as error:
        raise OSError(f"another process still compiles it in {folder}") from error
    with turn, _extensions_in(folder):
        (folder / "torchac_backend" / "lock").unlink(missing_ok=True)
        import torchac  # compiles at import
    return torchac  # type: ignore[no-any-return]


@contextmanager
def _extensions_in(folder: Path) -> Iterator[None]:
    """Make torch keep compiled extensions in `folder`, until the block ends."""
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before
