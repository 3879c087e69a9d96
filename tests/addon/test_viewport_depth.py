"""Meshes and splats hide each other, splat by splat."""

import numpy as np
import pytest
from viewport_gpu import start_gpu
from viewport_scenes import Lens, cloud_of, instance, looking, ortho_projection, single

from pcgs_engine.splats import SplatCloud

LENS = Lens()
VIEW = looking((4.0, 0.0, 0.0))
RED, BLUE = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)


@pytest.fixture(autouse=True)
def _gpu():
    start_gpu()


def drawn(cloud, scene_depth, projection=None):
    from addon.viewport import ViewParameters, draw_splats

    projection = LENS.projection if projection is None else projection
    view = ViewParameters.from_matrices(VIEW, projection)
    return draw_splats([instance(cloud)], view, LENS.width, LENS.height, scene_depth=scene_depth)


def wall(depth):
    return np.full((LENS.height, LENS.width), depth, np.float32)


def two_balls():
    """A red one before (depth 3) and a blue one behind (depth 5), on one line of sight."""
    near, far = single((1.0, 0.0, 0.0), RED, opacity=0.6), single((-1.0, 0.0, 0.0), BLUE)
    return SplatCloud(
        **{
            name: np.concatenate([getattr(near, name), getattr(far, name)])
            for name in ("means", "scales", "quats", "opacities", "sh")
        }
    )


@pytest.mark.parametrize("kind", ["perspective", "orthographic"])
def test_wall_behind_before_and_between(kind):
    projection = LENS.projection if kind == "perspective" else ortho_projection(160, 120, 4.0)
    middle = LENS.height // 2, LENS.width // 2
    behind = drawn(two_balls(), wall(8.0), projection).color[middle]
    between = drawn(two_balls(), wall(4.0), projection).color[middle]
    before = drawn(two_balls(), wall(1.0), projection).color[middle]
    assert behind[0] == pytest.approx(0.6, abs=0.01)
    assert behind[2] == pytest.approx(0.4, abs=0.01)
    # Between: the near one veils the wall, the far one is gone.
    assert between[0] == pytest.approx(0.6, abs=0.01)
    assert between[2] == pytest.approx(0.0, abs=1e-3)
    assert between[3] == pytest.approx(0.6, abs=0.01)
    assert not before.any()


def test_wall_hides_only_its_own_pixels():
    depth = wall(np.inf)
    depth[:, : LENS.width // 2] = 1.0
    color = drawn(cloud_of(2000), depth).color
    assert not color[:, : LENS.width // 2].any()
    assert color[:, LENS.width // 2 :, 3].max() > 0.5


def test_renders_say_ten_to_the_tenth_for_nothing():
    free = drawn(cloud_of(500), None)
    assert np.array_equal(free.color, drawn(cloud_of(500), wall(1e10)).color)


def test_depth_of_a_picture():
    picture = drawn(two_balls(), None)
    middle = LENS.height // 2, LENS.width // 2
    assert picture.depth[middle] == pytest.approx(0.6 * 3.0 + 0.4 * 5.0, abs=0.02)
    assert np.isinf(picture.depth[0, 0])
    assert drawn(two_balls(), wall(4.0)).depth[middle] == pytest.approx(3.0, abs=0.01)
