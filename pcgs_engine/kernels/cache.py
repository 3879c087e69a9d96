"""Where compiled kernels are kept between runs: the engine's data folder, set before numba."""

import os
import sys
from pathlib import Path

__all__ = ["engine_data_dir", "set_kernel_cache_dir"]

_VARIABLE = "NUMBA_CACHE_DIR"


def engine_data_dir() -> Path:
    r"""Return the folder for files the engine keeps for itself; it need not exist yet.

    `$XDG_DATA_HOME/pcgs` (or `~/.local/share/pcgs`), `%LOCALAPPDATA%\pcgs` on Windows,
    `~/Library/Application Support/pcgs` on macOS.
    """
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = str(Path.home() / "Library" / "Application Support")
    else:
        base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "pcgs"


def set_kernel_cache_dir(path: Path | None = None) -> bool:
    """Make numba keep compiled kernels under `path`; call it before anything imports numba.

    A folder the user has set through `NUMBA_CACHE_DIR` wins.

    Args:
        path: Folder, created by numba when first needed; default `engine_data_dir() / "kernels"`.

    Returns:
        Whether it took effect: False when numba is loaded already or the user's choice stands.
    """
    if os.environ.get(_VARIABLE) or "numba" in sys.modules:
        return False
    os.environ[_VARIABLE] = str(path if path is not None else engine_data_dir() / "kernels")
    return True
