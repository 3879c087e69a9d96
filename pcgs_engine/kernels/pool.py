"""Threads for kernels that release the GIL: every piece of work is run once, nobody spins."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["KernelPool", "balanced_ranges", "even_ranges"]


class KernelPool:
    """Runs one kernel over many pieces on a fixed number of threads.

    The calling thread works too, and idle threads sleep. Kernels must write disjoint outputs, so
    that the result does not depend on the number of threads or on who ran which piece.
    """

    def __init__(self, threads: int) -> None:
        """Keep `threads` threads in all, the caller's included; they start at first use.

        Args:
            threads: Number of threads, >= 1.

        Raises:
            ValueError: `threads` is below 1.
        """
        if threads < 1:
            raise ValueError(f"threads is {threads}, wanted at least 1")
        self.threads = threads
        self._helpers: ThreadPoolExecutor | None = None

    def run(self, kernel: Callable[..., Any], pieces: Sequence[tuple[Any, ...]]) -> None:
        """Run `kernel(*piece)` for every piece and return when all are done.

        Pieces are claimed one by one in order, so put costly ones first. After an error the
        pieces not yet claimed are dropped, and the first error is raised again here.
        """
        if self.threads == 1 or len(pieces) < 2:
            for piece in pieces:
                kernel(*piece)
            return
        waiting = deque(pieces)
        errors: deque[BaseException] = deque()
        if self._helpers is None:
            self._helpers = ThreadPoolExecutor(self.threads - 1, thread_name_prefix="pcgs-kernel")
        futures = [
            self._helpers.submit(_work, kernel, waiting, errors)
            for _ in range(min(self.threads, len(pieces)) - 1)
        ]
        _work(kernel, waiting, errors)
        for future in futures:
            # A helper that never started (its thread is in use) is not worth waiting for.
            if not future.cancel():
                future.result()
        if errors:
            raise errors[0]


def _work(
    kernel: Callable[..., Any], waiting: deque[tuple[Any, ...]], errors: deque[BaseException]
) -> None:
    """Claim pieces until none is left; an error drops the rest and is kept for the caller."""
    try:
        while True:
            try:
                piece = waiting.popleft()
            except IndexError:
                return
            kernel(*piece)
    except BaseException as error:  # noqa: BLE001  (raised again by the caller)
        waiting.clear()
        errors.append(error)


def even_ranges(size: int, count: int) -> list[tuple[int, int]]:
    """Cut `0..size` into at most `count` non-empty ranges `(first, last)` of nearly equal size."""
    count = max(1, min(count, size))
    bounds = [size * i // count for i in range(count + 1)]
    return [(a, b) for a, b in pairwise(bounds) if b > a]


def balanced_ranges(starts: npt.NDArray[np.int64], count: int) -> list[tuple[int, int]]:
    """Cut items into at most `count` non-empty ranges of nearly equal cost.

    Args:
        starts: Running sum of the items' costs, `[items + 1] int64`, first entry 0.
        count: Number of ranges wanted, >= 1.

    Returns:
        Ranges `(first, last)` that cover all items in order.
    """
    items = len(starts) - 1
    if count == 1:
        return [(0, items)]
    # One unit an item on top, so that free items are shared out as well.
    cost = starts + np.arange(items + 1)
    wanted = np.linspace(0, cost[-1], count + 1)[1:-1]
    inner = np.searchsorted(cost, wanted)
    bounds = [0, *(int(b) for b in inner), items]
    return [(a, b) for a, b in pairwise(bounds) if b > a]
