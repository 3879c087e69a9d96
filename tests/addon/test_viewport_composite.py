"""The picture over Blender's: colours as trained, no dark rims."""

import gpu
import numpy as np
import pytest
from viewport_gpu import start_gpu
from viewport_scenes import Lens, instance, looking, single

LENS = Lens()
VIEW = looking((4.0, 0.0, 0.0))


@pytest.fixture(autouse=True)
def _gpu():
    from addon.viewport import viewport_session

    start_gpu()
    yield
    viewport_session.clear()


def over(cloud, ground):
    """Displayed RGB `[H, W, 3]` of a cloud over a grey ground, in a target that encodes sRGB."""
    from addon.viewport import Painter, ViewParameters
    from addon.viewport.depth_order import depth_order
    from addon.viewport.draw_handler import composite
    from addon.viewport.draw_splats import order_request
    from addon.viewport.painter import order_rows
    from addon.viewport.target import Target

    view = ViewParameters.from_matrices(VIEW, LENS.projection)
    painter, target = Painter(), Target(LENS.width, LENS.height)
    painter.project([instance(cloud)], view, LENS.width, LENS.height)
    order = depth_order(order_request([instance(cloud)], view))
    painter.set_order(order_rows(order), len(order))
    painter.draw(target)
    color = gpu.types.GPUTexture((LENS.width, LENS.height), format="SRGB8_A8")
    framebuffer = gpu.types.GPUFrameBuffer(color_slots=[color])
    pixels = gpu.types.Buffer("FLOAT", 4 * LENS.width * LENS.height)
    with framebuffer.bind():
        framebuffer.clear(color=(ground, ground, ground, 1.0))
        composite(target.color)
        framebuffer.read_color(0, 0, LENS.width, LENS.height, 4, 0, "FLOAT", data=pixels)
    painter.free()
    return np.array(pixels, np.float32).reshape(LENS.height, LENS.width, 4)[..., :3]


def test_colours_show_as_trained():
    color = (0.5, 0.25, 0.75)
    shown = over(single((0.0, 0.0, 0.0), color), 0.0)
    assert np.abs(shown[LENS.height // 2, LENS.width // 2] - color).max() < 2 / 255


def test_white_over_white_stays_white():
    """A rim of half alpha whose colour was multiplied by it twice would be a dark ring here."""
    shown = over(single((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), opacity=0.9), 1.0)
    assert shown.min() >= 1.0 - 1.5 / 255


@pytest.mark.parametrize("ground", [0.0, 0.2, 1.0])
def test_every_pixel_lies_between_splat_and_ground(ground):
    tint = 0.5
    shown = over(single((0.0, 0.0, 0.0), (tint, tint, tint)), ground)
    corner = shown[0, 0, 0]
    assert shown.min() >= min(corner, tint) - 2 / 255
    assert shown.max() <= max(corner, tint) + 2 / 255


def test_colours_brighter_than_white_do_not_wrap():
    shown = over(single((0.0, 0.0, 0.0), (3.0, 1.5, 0.0)), 0.2)
    assert np.abs(shown[LENS.height // 2, LENS.width // 2] - (1.0, 1.0, 0.0)).max() < 2 / 255
