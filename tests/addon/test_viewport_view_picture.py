"""One view over time: what is drawn again, what is sorted again, what is kept."""

import time

import gpu
import numpy as np
import pytest
from viewport_gpu import start_gpu
from viewport_scenes import Lens, cloud_of, instance, looking, moved, placed

LENS = Lens()
SIZE = (LENS.width, LENS.height)


@pytest.fixture
def picture():
    from addon.viewport.painter import Painter
    from addon.viewport.view_picture import ViewPicture
    from addon.viewport.worker import Worker

    start_gpu()
    worker, painter = Worker(), Painter()
    yield ViewPicture(painter, worker)
    worker.close()
    painter.free()


def open_depth(value=1.0):
    from addon.viewport.view_picture import DepthCopy

    values = np.full(SIZE[0] * SIZE[1], value, np.float32)
    return DepthCopy(buffer=gpu.types.Buffer("FLOAT", values.size, values), values=values)


def view_from(eye):
    from addon.viewport import ViewParameters

    return ViewParameters.from_matrices(looking(eye), LENS.projection)


def settled(picture, items, view, depth=None):
    """Update until nothing is on its way; returns the pixels."""
    depth = depth or open_depth()
    for _ in range(200):
        texture = picture.update(items, view, SIZE, depth)
        if texture is not None and not picture.is_behind:
            return read(texture)
        time.sleep(0.005)
    raise AssertionError("the order never came")


def read(texture):
    pixels = texture.read()
    pixels.dimensions = 4 * texture.width * texture.height
    return np.array(pixels, np.float32).reshape(texture.height, texture.width, 4)


def straight(items, view):
    from addon.viewport import draw_splats

    return draw_splats(items, view, *SIZE, with_depth=False).color


def test_a_still_view_is_drawn_once(picture):
    items, view = [instance(cloud_of(500))], view_from((3.0, 0.0, 1.0))
    first = settled(picture, items, view)
    redraws, sorts = picture.redraws, picture.sorts
    for _ in range(5):
        assert np.array_equal(settled(picture, items, view), first)
    assert (picture.redraws, picture.sorts) == (redraws, sorts)


def test_orbiting_the_origin_sorts_again_and_shows_the_right_order(picture):
    items = [instance(cloud_of(2000, 0))]
    for angle in np.linspace(0.0, 6.0, 7):
        view = view_from((3.0 * np.cos(angle), 3.0 * np.sin(angle), 0.0))
        before = picture.sorts
        shown = settled(picture, items, view)
        assert picture.sorts == before + 1
        assert np.abs(shown - straight(items, view)).mean() < 1e-3


def test_moving_an_object_draws_and_sorts_again(picture):
    item, view = instance(cloud_of(500)), view_from((3.0, 0.0, 1.0))
    settled(picture, [item], view)
    shifted = [moved(item, placed(degrees=90.0, shift=(0.3, 0.0, 0.0)))]
    shown = settled(picture, shifted, view)
    assert np.abs(shown - straight(shifted, view)).mean() < 1e-3
    assert picture.sorts == 2


def test_a_mesh_that_moves_before_the_splats_hides_them(picture):
    items, view = [instance(cloud_of(500))], view_from((3.0, 0.0, 1.0))
    assert settled(picture, items, view).any()
    assert not settled(picture, items, view, open_depth(0.1)).any()
    assert settled(picture, items, view).any()


def test_another_size_is_drawn_at_that_size(picture):
    items, view = [instance(cloud_of(500))], view_from((3.0, 0.0, 1.0))
    settled(picture, items, view)
    from addon.viewport.view_picture import DepthCopy

    texture = picture.update(items, view, (64, 48), DepthCopy.empty(64 * 48))
    assert (texture.width, texture.height) == (64, 48)


def test_another_level_never_meets_the_old_order(picture):
    view = view_from((3.0, 0.0, 1.0))
    for count in (3000, 40, 1500):
        items = [instance(cloud_of(count), key=("test", 1, count))]
        shown = settled(picture, items, view)
        assert np.abs(shown - straight(items, view)).mean() < 1e-3


def test_the_last_picture_stays_while_new_splats_wait_for_an_order(picture, monkeypatch):
    from concurrent.futures import Future

    view = view_from((3.0, 0.0, 1.0))
    first = settled(picture, [instance(cloud_of(500))], view)
    monkeypatch.setattr(picture._worker, "submit", lambda *_: Future())  # never done
    other = [instance(cloud_of(900, seed=4), key=("other", 1, 1))]
    texture = picture.update(other, view, SIZE, open_depth())
    assert np.array_equal(read(texture), first)
    assert picture.is_behind


def test_a_late_order_is_bridged_by_the_last_one(picture, monkeypatch):
    """Same splats, new view, sort not ready: drawn at once from the new view, in the old order."""
    from concurrent.futures import Future

    items = [instance(cloud_of(500, 0))]
    before = settled(picture, items, view_from((3.0, 0.0, 1.0)))
    monkeypatch.setattr(picture._worker, "submit", lambda *_: Future())
    view = view_from((2.9, 0.3, 1.0))
    shown = read(picture.update(items, view, SIZE, open_depth()))
    assert not np.array_equal(shown, before)
    assert picture.is_behind
    assert np.abs(shown - straight(items, view)).mean() < 0.02
