"""Undistortion against an independent lens formula."""

import dataclasses

import numpy as np
import pytest
from PIL import Image
from scene_samples import write_transforms

from pcgs_engine.errors import SceneError
from pcgs_engine.scene import Distortion
from pcgs_engine.scene.distortion import undistort, undistort_map
from pcgs_engine.scene.image_store import ImageStore
from pcgs_engine.scene.load_scene import load_scene

LENS = Distortion(
    width=60, height=40, fx=55.0, fy=50.0, cx=31.25, cy=18.5, coefficients=(0.1, -0.05, 1e-3, 2e-3)
)


def distorted_pixels(lens: Distortion):
    """Where pixel centres of the pinhole lie in the stored image: OpenCV's published formula."""
    columns, rows = np.meshgrid(np.arange(lens.width) + 0.5, np.arange(lens.height) + 0.5)
    x, y = (columns - lens.cx) / lens.fx, (rows - lens.cy) / lens.fy
    k1, k2, p1, p2, k3, k4, k5, k6 = (*lens.coefficients, *[0.0] * (8 - len(lens.coefficients)))
    r2 = x * x + y * y
    radial = (1 + k1 * r2 + k2 * r2**2 + k3 * r2**3) / (1 + k4 * r2 + k5 * r2**2 + k6 * r2**3)
    xd = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    yd = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
    return xd * lens.fx + lens.cx, yd * lens.fy + lens.cy


@pytest.mark.parametrize(
    "coefficients",
    [(0.1, -0.05, 1e-3, 2e-3), (0.05,), (0.1, 0.02, 1e-3, 0.0, 0.01, 0.05, 0.01, 0.002), ()],
)
def test_undistort_map_each_coefficient_set_follows_the_formula(coefficients):
    lens = dataclasses.replace(LENS, coefficients=coefficients)
    mapping = undistort_map(lens)
    columns, rows = distorted_pixels(lens)
    np.testing.assert_allclose(mapping.x + 0.5, columns, atol=1e-4)
    np.testing.assert_allclose(mapping.y + 0.5, rows, atol=1e-4)
    inside = (columns > 0) & (columns < 60) & (rows > 0) & (rows < 40)
    assert (mapping.valid != inside).sum() <= 2  # rounding at the very edge


def test_undistort_map_folding_lens_marks_pixels_beyond_the_fold():
    lens = dataclasses.replace(LENS, coefficients=(-1.5, 0.0, 0.0, 0.0))
    mapping = undistort_map(lens)
    # r (1 - 1.5 r²) grows up to r = sqrt(1 / 4.5) = 0.471 and returns inside the image after.
    x, y = (np.array([0.5, 59.5]) - lens.cx) / lens.fx, (18.5 - lens.cy) / lens.fy
    assert (np.hypot(x, y) > 0.48).all()
    assert not mapping.valid[18, 0]
    assert not mapping.valid[18, 59]
    assert mapping.valid[18, 31]


@pytest.mark.parametrize("k1", [1e30, -1e30, 1e300])
def test_undistort_map_absurd_lens_stays_finite(k1):
    mapping = undistort_map(dataclasses.replace(LENS, coefficients=(k1, 0.0, 0.0, 0.0)))
    assert np.isfinite(mapping.x).all()
    assert np.isfinite(mapping.y).all()
    assert mapping.valid.mean() < 0.01


def test_undistort_smooth_image_recovers_the_pinhole_image():
    columns, rows = distorted_pixels(LENS)
    yy, xx = np.mgrid[:40, :60] + 0.5
    stored = (100 + 60 * np.sin(xx / 7) + 50 * np.cos(yy / 6)).astype(np.float32)
    wanted = 100 + 60 * np.sin(columns / 7) + 50 * np.cos(rows / 6)
    mapping = undistort_map(LENS)
    inner = mapping.valid & (columns > 2) & (columns < 58) & (rows > 2) & (rows < 38)
    # The slope is up to 17 per px: 1.2 is 0.07 px, from OpenCV's 1/32 px fractions and its cubic
    # kernel (a = -0.75, which bends straight ramps). A half-pixel slip would show 8.
    assert np.abs(undistort(stored, mapping) - wanted)[inner].max() < 1.2


def test_load_distorted_set_marks_pixels_outside_the_lens(tmp_path):
    write_transforms(tmp_path, 2, k1=0.3)
    view = load_scene(tmp_path).train_views[0]
    image = ImageStore((0.0, 0.0, 0.0)).load(view)
    assert image.rgb.shape == (24, 32, 3)
    assert image.valid is not None
    assert not image.valid[0, 0]
    assert image.valid[12, 16]
    np.testing.assert_array_equal(image.rgb[12, 16], [10, 200, 30])


def test_load_distorted_set_image_replaced_after_loading_is_refused(tmp_path):
    write_transforms(tmp_path, 2, k1=0.3)
    view = load_scene(tmp_path).train_views[0]
    Image.new("RGB", (64, 48)).save(view.image_path)
    with pytest.raises(SceneError, match="64x48, it was 32x24"):
        ImageStore((0.0, 0.0, 0.0)).load(view)
