"""The rectangle that is composited holds every splat."""

import numpy as np
import pytest
from viewport_gpu import start_gpu
from viewport_scenes import Lens, cloud_of, instance, looking, ortho_projection, placed

LENS = Lens(focal=120.0)


@pytest.mark.parametrize("kind", ["perspective", "orthographic"])
@pytest.mark.parametrize("shift", [(0.0, 0.0, 0.0), (0.5, 0.7, -0.3), (-1.0, 1.5, 0.0)])
def test_nothing_drawn_lies_outside(kind, shift):
    from addon.viewport import Painter, ViewParameters, draw_splats

    start_gpu()
    projection = LENS.projection if kind == "perspective" else ortho_projection(160, 120, 5.0)
    view = ViewParameters.from_matrices(looking((3.0, 1.0, 1.0)), projection)
    items = [instance(cloud_of(500, 0), placed(degrees=30.0, scale=0.4, shift=shift))]
    painter = Painter()
    alpha = draw_splats(
        items, view, LENS.width, LENS.height, with_depth=False, painter=painter
    ).color[..., 3]
    left, bottom, right, top = painter.area(items, view)
    painter.free()
    assert alpha.any()
    rows, columns = np.nonzero(alpha)
    assert left * LENS.width <= columns.min()
    assert right * LENS.width >= columns.max() + 1
    assert bottom * LENS.height <= rows.min()
    assert top * LENS.height >= rows.max() + 1
    assert (right - left) * (top - bottom) < 0.9


def test_inside_the_box_all_may_be_touched():
    from addon.viewport import ViewParameters
    from addon.viewport.screen_area import WHOLE, screen_area

    view = ViewParameters.from_matrices(looking((0.1, 0.0, 0.0)), LENS.projection)
    box = (np.full(3, -1.0, np.float32), np.ones(3, np.float32), np.eye(4))
    assert screen_area([box], view) == WHOLE


def test_no_boxes_touch_nothing():
    from addon.viewport import ViewParameters
    from addon.viewport.screen_area import screen_area

    view = ViewParameters.from_matrices(looking((3.0, 0.0, 0.0)), LENS.projection)
    assert screen_area([], view) == (0.0, 0.0, 0.0, 0.0)
