"""Sorting: numpy only."""

import numpy as np
import pytest
from viewport_scenes import cloud_of, instance, looking, placed


def request_of(means, view, **options):
    from addon.viewport.depth_order import OrderRequest, depth_rows

    rows = depth_rows(view, [np.eye(4)] * len(means))
    return OrderRequest(means=tuple(means), rows=rows, **{"is_ortho": False, **options})


def depths_in_order(request):
    from addon.viewport.depth_order import depth_order, view_depths

    return view_depths(request)[depth_order(request)]


@pytest.mark.parametrize("is_ortho", [False, True])
def test_exact_order_is_farthest_first(is_ortho):
    means = [cloud_of(5000, 0).means, cloud_of(3000, 0, seed=1).means]
    request = request_of(means, looking((2.0, 1.5, 1.0)), is_ortho=is_ortho, exact=True)
    depths = depths_in_order(request)
    assert (np.diff(depths) <= 1e-6).all()


@pytest.mark.parametrize("is_ortho", [False, True])
def test_quick_order_is_wrong_by_less_than_a_thousandth(is_ortho):
    means = cloud_of(5000, 0).means
    means[:5] *= 1000.0  # a few far ones must not coarsen the rest
    request = request_of([means], looking((2.0, 1.5, 1.0)))
    depths = depths_in_order(request)
    near = depths[(depths > 0) & (depths < 10)]
    assert (np.diff(near) <= 1e-3 * near[:-1]).all()


def test_order_holds_every_splat_once():
    from addon.viewport.depth_order import depth_order

    means = cloud_of(5000, 0).means
    means[7] = np.nan
    order = depth_order(request_of([means], looking((0.1, 0.0, 0.0), (1.0, 0.2, 0.0))))
    assert np.array_equal(np.sort(order), np.arange(5000))


def test_orbit_about_the_origin_changes_the_order():
    """The translation of the view matrix stays the same; its third row does not."""
    from addon.viewport.depth_order import depth_order

    means = cloud_of(1000, 0).means
    front, side = looking((3.0, 0.0, 0.0)), looking((0.0, 3.0, 0.0))
    assert np.allclose(front[:3, 3], side[:3, 3])
    orders = [depth_order(request_of([means], view)) for view in (front, side)]
    assert not np.array_equal(*orders)


def test_object_matrices_count():
    from addon.viewport.draw_splats import order_request
    from addon.viewport.view_parameters import ViewParameters

    view = ViewParameters.from_matrices(looking((2.0, 1.5, 1.0)), np.diag([1.0, 1.0, -1.0, 0.0]))
    cloud = cloud_of(10, 0)
    matrix = placed(degrees=30.0, scale=2.0, shift=(1.0, 0.0, 0.0))
    request = order_request([instance(cloud, matrix)], view)
    world = cloud.means @ matrix[:3, :3].T + matrix[:3, 3]
    from addon.viewport.depth_order import view_depths

    expected = -(world @ view.view_matrix[2, :3] + view.view_matrix[2, 3])
    assert np.allclose(view_depths(request), expected, atol=1e-5)
