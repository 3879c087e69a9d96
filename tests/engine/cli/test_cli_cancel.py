"""Signals: a flag for training, KeyboardInterrupt for everything else, handlers restored."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from pcgs_engine.cli.cancel import CancelToken, signals_interrupt

pytestmark = pytest.mark.skipif(os.name == "nt", reason="os.kill ends the process on Windows")


@pytest.fixture
def python_handlers() -> Iterator[None]:
    """Python's own handlers: a shell's background job starts with SIGINT ignored."""
    defaults = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    previous = {number: signal.signal(number, handler) for number, handler in defaults.items()}
    yield
    for number, handler in previous.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("python_handlers")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_cancel_token_when_signalled_asks_to_stop(number: signal.Signals) -> None:
    token = CancelToken()
    before = signal.getsignal(number)
    with token.listening():
        assert not token.requested
        os.kill(os.getpid(), number)
        assert token.requested
    assert signal.getsignal(number) is before


@pytest.mark.usefixtures("python_handlers")
def test_cancel_token_when_signalled_twice_interrupts() -> None:
    token = CancelToken()
    token.request()
    with pytest.raises(KeyboardInterrupt), token.listening():
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.usefixtures("python_handlers")
def test_signals_interrupt_turns_terminate_into_keyboard_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt), signals_interrupt():
        os.kill(os.getpid(), signal.SIGTERM)


def test_cancel_token_leaves_ignored_signals_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with CancelToken().listening():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_cancel_token_outside_main_thread_is_harmless() -> None:
    passed = []

    def listen() -> None:
        with CancelToken().listening():
            passed.append(True)

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert passed == [True]
