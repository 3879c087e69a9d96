"""Which clouds a view gets: budget, memory, levels on their way."""

import time
from dataclasses import replace

import numpy as np
import pytest
from viewport_scenes import cloud_of, instance, single


class Shelf:
    """Stands in for the GPU: holds at most so many splats in all."""

    def __init__(self, room=10**9):
        self.room = room
        self.held = {}

    def add(self, key, packed):
        from addon.viewport.textures import UploadError

        if sum(self.held.values()) + packed.count > self.room:
            raise UploadError("full")
        self.held[key] = packed.count

    def drop(self, key):
        self.held.pop(key, None)


@pytest.fixture
def worker():
    from addon.viewport.worker import Worker

    worker = Worker()
    yield worker
    worker.close()


def supply_of(shelf, worker, clock=time.monotonic):
    from addon.viewport.cloud_supply import CloudSupply

    return CloudSupply(shelf, worker, clock)


def wait_for(supply, items, budget=10**9):
    for _ in range(500):
        supplied = supply.supply(items, budget)
        if not supplied.waiting:
            return supplied
        time.sleep(0.01)
    raise AssertionError("never ready")


def test_small_clouds_are_there_at_once(worker):
    supplied = supply_of(Shelf(), worker).supply([instance(cloud_of(100))], 10**9)
    assert not supplied.waiting
    assert len(supplied.instances[0].cloud) == 100


def test_large_clouds_are_packed_elsewhere_and_the_old_level_stays(worker):
    supply = supply_of(Shelf(), worker)
    first = instance(cloud_of(100), key=("file", 1, 1))
    supply.supply([first], 10**9)
    second = instance(cloud_of(30_000, 0), key=("file", 1, 2))
    supplied = supply.supply([second], 10**9)
    assert supplied.waiting
    assert len(supplied.instances[0].cloud) == 100
    assert len(wait_for(supply, [second]).instances[0].cloud) == 30_000


def test_budget_keeps_what_can_be_seen_most(worker):
    from addon.viewport.cloud_packing import importance

    items = [instance(cloud_of(3000, seed=seed), key=(str(seed), 1, 1)) for seed in (1, 2)]
    supplied = supply_of(Shelf(), worker).supply(items, 3000)
    assert (supplied.shown_splats, supplied.wanted_splats) == (3000, 6000)
    assert not supplied.short_of_memory
    for item, shown in zip(items, supplied.instances, strict=True):
        least = np.sort(importance(item.cloud))[-1500]
        assert importance(shown.cloud).min() >= least


def test_full_memory_halves_a_cloud_until_it_fits(worker):
    supply = supply_of(Shelf(room=6000), worker)
    supplied = wait_for(supply, [instance(cloud_of(19_000, 0))])
    assert supplied.short_of_memory
    assert supplied.shown_splats == 4750


def test_no_memory_at_all_is_an_error_for_the_message(worker):
    from addon.viewport.textures import UploadError

    with pytest.raises(UploadError):
        wait_for(supply_of(Shelf(room=10), worker), [instance(cloud_of(5000, 0))])


def test_clouds_nobody_keeps_are_freed(worker):
    now = [0.0]
    shelf = Shelf()
    supply = supply_of(shelf, worker, lambda: now[0])
    for level in (1, 2, 3):
        supply.supply([instance(single((0, 0, 0), (1, 1, 1)), key=("file", 1, level))], 10**9)
        now[0] += 10.0
    assert len(shelf.held) == 3
    supply.forget(lambda key, unused: unused < 15.0)
    assert [key[0][2] for key in shelf.held] == [3]
    supply.clear()
    assert not shelf.held


def test_a_damaged_cloud_is_packed_without_error(worker):
    cloud = cloud_of(100)
    cloud.means[:] = np.nan
    damaged = replace(cloud, scales=np.zeros_like(cloud.scales))
    assert len(supply_of(Shelf(), worker).supply([instance(damaged)], 10**9).instances) == 1
