"""failure_message: which exception becomes which exit status and text."""

import errno
import logging

import pytest

from pcgs_engine.cli.failure import failure_message
from pcgs_engine.errors import ConfigError, MalformedError


@pytest.mark.parametrize(
    ("error", "name", "code"),
    [
        (ConfigError("x"), "ConfigError", 2),
        (MalformedError("x"), "MalformedError", 3),
        (MemoryError(), "DeviceMemoryError", 4),
        (OSError(errno.ENOMEM, "no memory"), "DeviceMemoryError", 4),
        (OSError(errno.ENOSPC, "No space left on device"), "OutputError", 3),
        (OSError(errno.EFBIG, "File too large"), "OutputError", 3),
        (PermissionError(errno.EACCES, "Permission denied", "run"), "OutputError", 3),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9"),
            "DeviceMemoryError",
            4,
        ),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), "DeviceError", 4),
        (ModuleNotFoundError("No module named 'x'", name="numba.core"), "DeviceError", 4),
        (KeyboardInterrupt(), "CancelledError", 130),
    ],
)
def test_failure_message_of_known_error_has_its_exit_code(
    error: BaseException, name: str, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    message = failure_message(error)
    assert (message.error, message.exit_code) == (name, code)
    assert caplog.records == []


def test_failure_message_of_torch_out_of_memory_is_device_memory() -> None:
    torch = pytest.importorskip("torch")
    assert failure_message(torch.OutOfMemoryError("x")).exit_code == 4


def test_failure_message_is_one_line() -> None:
    assert failure_message(ConfigError("a\nb")).text == "a b"


def test_failure_message_of_unforeseen_error_logs_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        message = failure_message(ZeroDivisionError("division by zero"))
    assert message.exit_code == 1
    assert caplog.records[0].exc_info is not None
