"""Process settings that torch and numba read once, so they must be in place before both start."""

import contextlib
import os
import sys
import tempfile
from pathlib import Path

from ..kernels.cache import engine_data_dir, set_kernel_cache_dir

__all__ = ["prepare_environment"]

QUIET_THREADS = {
    # Waiting OpenMP threads must sleep: a spinning pool takes the cores from our own kernels.
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
    "KMP_BLOCKTIME": "0",
}


def prepare_environment() -> None:
    """Set sleeping OpenMP threads, this Python's programs and the folder of compiled kernels.

    Compiled kernels go to a fresh temporary folder where the data folder cannot be written: slower
    starts, but it works, and no other user can have put anything into it.
    """
    for name, value in QUIET_THREADS.items():
        os.environ.setdefault(name, value)
    # Where pip puts ninja, which gsplat compiles itself with; the environment is not "activated".
    programs = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([programs, os.environ.get("PATH", os.defpath)])
    folder = engine_data_dir() / "kernels"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    if os.access(folder, os.W_OK):
        set_kernel_cache_dir(folder)
    elif not os.environ.get("NUMBA_CACHE_DIR"):
        os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="pcgs-kernels-")
