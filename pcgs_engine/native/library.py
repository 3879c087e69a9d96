"""The door to the native library: finds, loads and types its functions (plain C ABI, ctypes)."""

import _ctypes
import ctypes
import sys
from functools import cache
from pathlib import Path

from ..errors import DeviceError
from .targets import host_target

__all__ = ["LIBRARY_FOLDER", "load_library", "load_native", "unload_native"]

LIBRARY_FOLDER = Path(__file__).parent / "lib"
ABI = 3
"""Version of the function signatures in the C files."""
REMEDY = "run `python -m pcgs_engine.native.build` or use the numpy backend"

P, I = ctypes.c_void_p, ctypes.c_int64  # noqa: E741 - read as a table below
SIGNATURES = {
    "pcgs_encode": ([P, P, P, I, I, P, I, P], I),
    "pcgs_intervals_mixture": ([P, I, I, P, P, P, P], None),
    "pcgs_intervals_trits": ([P, P, I, I, P, P, P], None),
    "pcgs_decode_tables": ([P, I, I, P, I, P, P], None),
    "pcgs_decode_trits": ([P, I, I, P, P, P], None),
    "pcgs_decode_mixture": ([P, I, I, P, P, P], None),
    "pcgs_hash_features": ([P, P, I, I, P], None),
    "pcgs_requantize": ([P, P, P, I, I, I, I], None),
    "pcgs_gaussian_parameters": ([P, P, I, I, I, P, P], None),
    "pcgs_mixture_weights": ([P, P, P, I, I, I, P], None),
    "pcgs_octree_scratch": ([I], I),
    "pcgs_octree_encode": ([P, I, P, P, P, P, P, I, P, I, P], I),
    "pcgs_octree_decode": ([P, P, P, I, I, P, P, P, P], I),
}


@cache
def load_native() -> ctypes.CDLL:
    """Return the library for this machine; loaded once (failures are not remembered).

    Raises:
        DeviceError: it is not built, does not load or is of another version.
    """
    target = host_target()
    if target is None:
        raise DeviceError(f"no native coder for this platform; {REMEDY}")
    return load_library(LIBRARY_FOLDER / target.file_name)


def unload_native() -> None:
    """Let go of the library: Windows neither deletes nor replaces a file that is loaded.

    Nothing may run in it any more, and a decoder made before must not be used again.
    """
    if not load_native.cache_info().currsize:
        return
    handle = load_native()._handle
    load_native.cache_clear()
    if sys.platform == "win32":
        _ctypes.FreeLibrary(handle)
    else:
        _ctypes.dlclose(handle)


def load_library(path: Path) -> ctypes.CDLL:
    """Load and check one library file.

    Raises:
        DeviceError: it is absent, does not load or is of another version.
    """
    if not path.is_file():
        raise DeviceError(f"{path}: native coder is not built; {REMEDY}")
    try:
        library = ctypes.CDLL(str(path))
        library.pcgs_abi.restype = ctypes.c_int32
        found = int(library.pcgs_abi())
    except (OSError, AttributeError) as error:
        raise DeviceError(f"{path}: native coder does not load ({error}); {REMEDY}") from error
    if found != ABI:
        raise DeviceError(f"{path}: native coder has ABI {found}, wanted {ABI}; {REMEDY}")
    for name, (arguments, result) in SIGNATURES.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, result
    return library
