"""The kernel pool and the kernel cache's folder."""

import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from pcgs_engine.kernels.cache import engine_data_dir, set_kernel_cache_dir
from pcgs_engine.kernels.pool import KernelPool, balanced_ranges, even_ranges


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_kernel_pool_runs_every_piece_once(threads):
    seen = np.zeros(200, np.int64)

    def mark(first, last):
        seen[first:last] += 1

    pool = KernelPool(threads)
    for _ in range(3):
        pool.run(mark, even_ranges(200, 37))
    assert (seen == 3).all()


def test_kernel_pool_two_threads_work_at_the_same_time():
    barrier = threading.Barrier(2, timeout=20)
    KernelPool(2).run(barrier.wait, [(), ()])


@pytest.mark.parametrize("threads", [1, 3])
def test_kernel_pool_error_is_raised_and_pool_stays_usable(threads):
    def fail(piece):
        if piece == 2:
            raise KeyError("piece two")

    pool = KernelPool(threads)
    with pytest.raises(KeyError, match="piece two"):
        pool.run(fail, [(i,) for i in range(10)])
    pool.run(fail, [(5,), (6,)])


def test_kernel_pool_nested_run_does_not_deadlock():
    pool, done = KernelPool(2), []

    def inner(i):
        done.append(i)

    def outer(i):
        pool.run(inner, [(i,), (i,)])

    pool.run(outer, [(i,) for i in range(8)])
    assert sorted(done) == sorted([*range(8), *range(8)])


def test_kernel_pool_without_threads_is_refused():
    with pytest.raises(ValueError, match="wanted at least 1"):
        KernelPool(0)


@pytest.mark.parametrize("count", [1, 2, 7, 50])
def test_balanced_ranges_cover_all_items_in_order(count):
    costs = np.random.default_rng(0).integers(0, 100, 30)
    starts = np.concatenate([[0], costs.cumsum()])
    ranges = balanced_ranges(starts, count)
    assert [i for a, b in ranges for i in range(a, b)] == list(range(30))
    assert len(ranges) <= count
    if count == 2:
        assert abs(costs[: ranges[0][1]].sum() - costs.sum() / 2) < 110


def test_set_kernel_cache_dir_before_numba_sets_it(monkeypatch, tmp_path):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    assert set_kernel_cache_dir(tmp_path)
    assert os.environ["NUMBA_CACHE_DIR"] == str(tmp_path)
    assert not set_kernel_cache_dir(tmp_path / "other"), "a choice that stands must win"


@pytest.mark.skipif(sys.platform != "linux", reason="XDG folders are Linux's")
def test_engine_data_dir_follows_xdg(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert engine_data_dir() == Path(tmp_path) / "pcgs"
