"""Threads for native code, which runs without Python's lock: ranges of independent work in."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import numpy.typing as npt

__all__ = ["Work", "even_ranges", "run_ranges", "split_work", "worker_count"]

Work = Callable[[int, int], None]
"""Does items begin..end-1."""


def worker_count() -> int:
    """Return the processors this process may use."""
    count = getattr(os, "process_cpu_count", None)  # Python 3.13
    if count is not None:
        return count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def split_work(
    ends: npt.NDArray[np.int64],  # [items] rising: work up to the end of each item
    smallest: int,
    workers: int,
) -> list[tuple[int, int]]:
    """Return ranges of items of about equal work, at least `smallest` each if there are two."""
    total = int(ends[-1]) if len(ends) else 0
    pieces = max(min(workers, total // smallest), 1)
    cuts = np.searchsorted(ends, [total * i // pieces for i in range(1, pieces)])
    edges = [0, *cuts.tolist(), len(ends)]
    return [(a, b) for a, b in pairwise(edges) if b > a]


def even_ranges(count: int, smallest: int, workers: int) -> list[tuple[int, int]]:
    """Return ranges of 0..count-1 of about equal length, at least `smallest` if there are two."""
    pieces = max(min(workers, count // smallest), 1)
    edges = [count * i // pieces for i in range(pieces + 1)]
    return list(pairwise(edges))


def run_ranges(work: Work, ranges: list[tuple[int, int]]) -> None:
    """Do all ranges, the first on this thread, the others beside it."""
    if not ranges:
        return
    if len(ranges) == 1:
        work(*ranges[0])
        return
    with ThreadPoolExecutor(max_workers=len(ranges) - 1) as pool:
        others = [pool.submit(work, *piece) for piece in ranges[1:]]
        work(*ranges[0])
        for other in others:
            other.result()
