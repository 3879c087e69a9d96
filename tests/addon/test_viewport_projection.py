"""Our picture against a plain numpy one: what the engine's rasterizer has no notion of."""

import numpy as np
import pytest
from viewport_gpu import start_gpu
from viewport_scenes import (
    Lens,
    cloud_of,
    instance,
    looking,
    ortho_projection,
    placed,
    plain_picture,
    psnr,
    single,
)

from pcgs_engine.splats import SplatCloud

BAR = 42.0
WIDTH, HEIGHT = 80, 60
LENS = Lens(width=WIDTH, height=HEIGHT, focal=90.0, cx=40.0, cy=30.0)
VIEW = looking((2.0, 1.5, 1.0))


@pytest.fixture(autouse=True)
def _gpu():
    start_gpu()


def drawn(instances, view, projection):
    from addon.viewport import ViewParameters, draw_splats

    seen = ViewParameters.from_matrices(view, projection)
    return draw_splats(instances, seen, WIDTH, HEIGHT, with_depth=False).color


def same_as_plain(instances, view, projection):
    color = drawn(instances, view, projection)
    plain = plain_picture(instances, view, projection, WIDTH, HEIGHT)
    assert plain[..., 3].max() > 0.5
    return psnr(color, plain) >= BAR


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_every_degree(degree):
    assert same_as_plain([instance(cloud_of(300, degree))], VIEW, LENS.projection)


@pytest.mark.parametrize(
    "matrix",
    [
        placed(degrees=40.0, scale=(2.0, 0.5, 1.0)),
        placed(degrees=40.0) @ placed(degrees=70.0, scale=(0.4, 1.5, 1.0)) @ placed(degrees=-20.0),
        placed(degrees=10.0, scale=(-1.0, 1.0, 1.0)),
    ],
    ids=["stretched", "sheared", "mirrored"],
)
@pytest.mark.parametrize("kind", ["perspective", "orthographic"])
def test_any_transform(matrix, kind):
    projection = LENS.projection if kind == "perspective" else ortho_projection(80, 60, 3.0)
    assert same_as_plain([instance(cloud_of(300), matrix)], VIEW, projection)


def test_orthographic_with_shift():
    projection = ortho_projection(WIDTH, HEIGHT, 2.5)
    projection[0, 3], projection[1, 3] = 0.3, -0.2
    assert same_as_plain([instance(cloud_of(300), placed(degrees=25.0))], VIEW, projection)


def test_thin_splats_keep_their_direction():
    cloud = cloud_of(200, 0)
    cloud.scales[:] = (0.4, 0.002, 0.002)
    assert same_as_plain([instance(cloud)], VIEW, LENS.projection)


def test_objects_that_stand_in_each_other_are_sorted_together():
    first = instance(cloud_of(150, 1, seed=1), key=("a", 1, 1))
    second = instance(cloud_of(150, 1, seed=2), placed(degrees=50.0, scale=0.9), key=("b", 1, 1))
    assert same_as_plain([first, second], VIEW, LENS.projection)
    assert same_as_plain([second, first], VIEW, LENS.projection)


def test_duplicates_share_one_upload():
    from addon.viewport import Painter, ViewParameters, draw_splats

    cloud = cloud_of(100)
    pair = [instance(cloud), instance(cloud, placed(shift=(0.5, 0.0, 0.0)))]
    painter = Painter()
    seen = ViewParameters.from_matrices(VIEW, LENS.projection)
    draw_splats(pair, seen, WIDTH, HEIGHT, painter=painter)
    assert len(painter.clouds) == 1
    painter.free()


def test_units_of_the_world_do_not_matter():
    """Half floats end at 6e-8 and 65,504: scales must survive millimetres and kilometres."""
    pictures = []
    for unit in (1e-4, 1.0, 1e4):
        cloud = cloud_of(300)
        small = SplatCloud(
            means=cloud.means * np.float32(unit),
            scales=cloud.scales * np.float32(unit),
            quats=cloud.quats,
            opacities=cloud.opacities,
            sh=cloud.sh,
        )
        matrix = placed(scale=1.0 / unit)
        # Orthographic: in perspective the near plane goes with the object's scale.
        projection = ortho_projection(WIDTH, HEIGHT, 2.5)
        pictures.append(drawn([instance(small, matrix)], VIEW, projection))
    assert psnr(pictures[0], pictures[1]) > 50.0
    assert psnr(pictures[2], pictures[1]) > 50.0


def test_splats_that_are_not_finite_are_left_out():
    good, bad = cloud_of(200, 1), cloud_of(200, 1, seed=3)
    for field, value in (("means", np.nan), ("scales", np.inf), ("quats", np.nan)):
        getattr(bad, field)[:, 0] = value
        both = SplatCloud(
            **{
                name: np.concatenate([getattr(good, name), getattr(bad, name)])
                for name in ("means", "scales", "quats", "opacities", "sh")
            }
        )
        expected = drawn([instance(good)], VIEW, LENS.projection)
        assert np.array_equal(drawn([instance(both)], VIEW, LENS.projection), expected)


def test_nothing_to_draw_is_an_empty_picture():
    assert not drawn([], VIEW, LENS.projection).any()
    assert not drawn([instance(cloud_of(0))], VIEW, LENS.projection).any()
    behind = single((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    away = looking((2.0, 1.5, 1.0), (4.0, 3.0, 2.0))
    assert not drawn([instance(behind)], away, LENS.projection).any()


def test_flattened_object_draws_without_error():
    assert np.isfinite(
        drawn([instance(cloud_of(100), placed(scale=(1.0, 1.0, 0.0)))], VIEW, LENS.projection)
    ).all()
