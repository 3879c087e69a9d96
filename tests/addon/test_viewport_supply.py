"""Which clouds a view gets: budget, memory, levels on their way."""

import time
from dataclasses import replace

import numpy as np
import pytest
from sample_files import copy_of_trained
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


def supply_of(shelf, worker, clock=time.monotonic, level_below=lambda key: None):
    from addon.viewport.cloud_supply import CloudSupply

    return CloudSupply(shelf, worker, clock, level_below)


def levels_of(*sizes):
    """Instances of a file's levels, lowest first, and the function that finds the one below."""
    from addon.files import LevelCloud

    items = [
        instance(cloud_of(size, 0), key=("file", 1, level)) for level, size in enumerate(sizes, 1)
    ]

    def level_below(key):
        if key[2] == 1:
            return None
        item = items[key[2] - 2]
        return LevelCloud(level=key[2] - 1, cloud=item.cloud, key=item.key)

    return items, level_below


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


def test_full_memory_drops_to_the_level_that_fits_and_says_so(worker):
    items, level_below = levels_of(3000, 30_000, 40_000)
    supply = supply_of(Shelf(room=6000), worker, level_below=level_below)
    supplied = wait_for(supply, [items[2]])
    assert supplied.shown_splats == 3000
    (lowered,) = supplied.lowered
    assert (lowered.object_name, lowered.wanted, lowered.shown) == (items[2].object_name, 3, 1)
    assert not supplied.short_of_memory
    assert wait_for(supply, [items[0]]).lowered == ()


def test_lowest_level_is_halved_where_even_that_does_not_fit(worker):
    items, level_below = levels_of(8000, 9000)
    supplied = wait_for(supply_of(Shelf(room=3000), worker, level_below=level_below), [items[1]])
    assert supplied.shown_splats == 2000
    assert supplied.short_of_memory


def test_memory_that_ends_after_the_clouds_makes_the_largest_smaller(worker):
    """Records, order and picture need memory as well; they are made when the clouds are there."""
    items, level_below = levels_of(3000, 5000)
    small = instance(cloud_of(1500, 0), key=("other", 1, 1))
    supply = supply_of(Shelf(), worker, level_below=level_below)
    sizes = []
    for _ in range(4):
        supplied = wait_for(supply, [small, items[1]])
        sizes.append([len(item.cloud) for item in supplied.instances])
        assert supply.make_smaller(supplied.asked)
    assert sizes == [[1500, 5000], [1500, 3000], [1500, 1500], [750, 1500]]
    supply.make_smaller(supplied.asked)
    assert not supply.make_smaller(wait_for(supply, [small, items[1]]).asked)


def test_what_did_not_fit_is_tried_again_when_there_is_room(worker):
    items, level_below = levels_of(2000, 5000)
    other = instance(cloud_of(4000, 0), key=("other", 1, 1))
    supply = supply_of(Shelf(room=8000), worker, level_below=level_below)
    assert wait_for(supply, [other, items[1]]).shown_splats == 4000 + 2000
    supply.forget(lambda key, unused: key[0] == "file")
    assert wait_for(supply, [items[1]]).shown_splats == 5000


def test_level_below_comes_from_the_file(blender, tmp_path):
    from addon.files import splat_files
    from addon.viewport.cloud_keys import is_current, level_below

    file = splat_files.open_path(copy_of_trained(tmp_path))
    assert file.wait(seconds=60)
    top = file.shown(file.levels)
    seen = [top.level]
    while (below := level_below(top.key)) is not None:
        assert is_current(below.key)
        seen.append(below.level)
        top = below
    assert seen == list(range(file.levels, 0, -1))
    file.reload()
    assert file.wait(seconds=60)
    assert level_below(top.key) is None


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
