"""Choice of the code that runs the range coder; all choices write and read the same bytes."""

import enum

from ..errors import DeviceError
from ..native import load_native

__all__ = ["EntropyBackend", "best_backend"]


class EntropyBackend(enum.Enum):
    """Values of `--entropy-backend`."""

    NATIVE = "native"
    """The C library of `pcgs_engine.native`."""
    NUMPY = "numpy"
    """Needs nothing but numpy."""
    TORCHAC = "torchac"
    """torchac as encoder (needs torch and a compiler); decodes with `best_backend()`."""


def best_backend() -> EntropyBackend:
    """Return NATIVE where its library loads, else NUMPY."""
    try:
        load_native()
    except DeviceError:
        return EntropyBackend.NUMPY
    return EntropyBackend.NATIVE
