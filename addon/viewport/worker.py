"""Worker: the threads that sort and pack for the viewport, and whether they have news."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

__all__ = ["Worker"]

Result = TypeVar("Result")

THREADS = 2
"""So that packing a large cloud does not hold up a sort."""


class Worker:
    """Runs functions that touch neither bpy nor gpu."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="pcgs viewport")
        self._running: set[Future[Any]] = set()
        self._news = threading.Event()

    def submit(self, function: Callable[..., Result], *args: object) -> Future[Result]:
        """Run a function on a thread."""
        future = self._executor.submit(function, *args)
        self._running.add(future)
        future.add_done_callback(self._finished)
        return future

    @property
    def is_busy(self) -> bool:
        """Whether something runs or waits to run."""
        return bool(self._running)

    @property
    def has_news(self) -> bool:
        """Whether something ended that nobody asked about yet."""
        return self._news.is_set()

    def take_news(self) -> bool:
        """Return `has_news`, and forget it."""
        had = self._news.is_set()
        self._news.clear()
        return had

    def announce(self) -> None:
        """Make news: something changed that only a redraw shows."""
        self._news.set()

    def close(self) -> None:
        """Drop what waits, wait for what runs."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _finished(self, future: Future[Any]) -> None:
        # Called on the thread; set operations and events are safe there.
        self._running.discard(future)
        self._news.set()
