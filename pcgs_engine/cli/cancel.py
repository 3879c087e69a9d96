"""Ctrl-C and terminate signals as a flag a long job asks for between two steps."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

__all__ = ["CancelToken", "signals_interrupt"]


def _signal_numbers() -> list[signal.Signals]:
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # the last one is Windows' Ctrl-Break
    return [getattr(signal, name) for name in names if hasattr(signal, name)]


class CancelToken:
    """Set by the first signal; a second one interrupts at once."""

    def __init__(self) -> None:
        self.requested = False
        """Whether someone asked the job to save its state and stop."""

    def request(self) -> None:
        """Ask the job to stop at the next safe point."""
        self.requested = True

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Catch signals while the body runs; a no-op outside the main thread."""

        def on_signal(number: int, frame: FrameType | None) -> None:
            if self.requested:
                raise KeyboardInterrupt
            self.request()

        with _handlers(on_signal):
            yield


@contextlib.contextmanager
def signals_interrupt() -> Iterator[None]:
    """Let every terminate signal raise KeyboardInterrupt, so that temporary files go away."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handlers(on_signal):
        yield


@contextlib.contextmanager
def _handlers(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # An ignored signal stays ignored: nohup and shell background jobs rely on it.
    wanted = [n for n in _signal_numbers() if signal.getsignal(n) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, handler) for number in wanted}
    try:
        yield
    finally:
        for number, old in previous.items():
            signal.signal(number, old)
