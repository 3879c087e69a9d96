"""What a failed job tells its user: any exception in, one ErrorMessage out."""

import errno
import logging
import os
import sys

from ..errors import (
    CancelledError,
    ConfigError,
    DeviceError,
    DeviceMemoryError,
    OutputError,
    PcgsError,
)
from ..protocol import ErrorMessage

__all__ = ["failure_message"]

MEMORY_PHRASES = ("out of memory", "can't allocate memory", "not enough memory")
"""What torch's allocators say in a plain RuntimeError."""
STORAGE_ERRORS = {
    errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG,
}  # fmt: skip
"""What the system says of a place that cannot be used, whoever asked for it (a library's cache)."""
TRAIN_PACKAGES = {"torch", "numba", "scipy", "safetensors", "PIL", "cv2"}


def failure_message(error: BaseException) -> ErrorMessage:
    """Return the last message of a failed job; unforeseen exceptions are logged with traceback."""
    known = _as_pcgs_error(error)
    if known is not None:
        text = " ".join(str(known).split())
        return ErrorMessage(error=type(known).__name__, text=text, exit_code=known.exit_code)
    logging.getLogger("pcgs").error("unforeseen error", exc_info=error)
    text = f"{type(error).__name__}: {error}; this is a fault in pcgs, please report the log above"
    return ErrorMessage(error=type(error).__name__, text=" ".join(text.split()), exit_code=1)


def _as_pcgs_error(error: BaseException) -> PcgsError | None:
    if isinstance(error, PcgsError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return CancelledError("cancelled")
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        return _missing_package(error.name.split(".")[0])
    if _is_memory_error(error):
        return DeviceMemoryError(
            "memory ran out; use a smaller --max-size or --preset, or close other programs"
        )
    if isinstance(error, OSError) and error.errno in STORAGE_ERRORS:
        place, reason = error.filename or "the disk", os.strerror(error.errno).lower()
        return OutputError(f"cannot use {place}: {reason}; check its permissions and free space")
    return None


def _missing_package(name: str) -> PcgsError | None:
    if name in TRAIN_PACKAGES:
        return DeviceError(f"{name} is not installed; run in PCGS's folder: pip install '.[train]'")
    if name == "gsplat":
        return DeviceError(
            "gsplat is not installed; run in PCGS's folder: pip install '.[train,cuda]'"
        )
    if name == "torchac":
        return ConfigError("torchac is not installed; use --entropy-backend native or numpy")
    return None


def _is_memory_error(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if not isinstance(error, RuntimeError):
        return False
    torch = sys.modules.get("torch")  # looked up, not imported: this file must start fast
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    return any(phrase in str(error).lower() for phrase in MEMORY_PHRASES)
