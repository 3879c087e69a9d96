"""Report pictures and the level table."""

import numpy as np
import pytest

from pcgs_engine.cli.report import RatePoint, level_table, picture_strip, rate_plot
from pcgs_engine.errors import OutputError
from pcgs_engine.protocol import LevelResult

Image = pytest.importorskip("PIL.Image")


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def flat(color, height=20, width=40):
    return np.full((height, width, 3), color, dtype=np.uint8)


def test_level_table_is_aligned_and_shows_unknowns_as_dash():
    rows = [
        LevelResult(level=1, bytes=1_234, anchors=5, splats=6, psnr=24.318, ssim=0.81234),
        LevelResult(level=12, bytes=1_234_567, anchors=50, splats=60_000, psnr=None, ssim=None),
    ]
    lines = level_table(rows).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert [cell.strip() for cell in lines[2].strip("|").split("|")] == [
        *("1", "1,234", "24.32", "0.8123", "5", "6")
    ]
    assert [cell.strip() for cell in lines[3].strip("|").split("|")] == [
        *("12", "1,234,567", "-", "-", "50", "60,000")
    ]


def test_level_table_of_no_rows_is_only_a_head():
    assert len(level_table([]).splitlines()) == 2


def test_picture_strip_shows_every_picture_unchanged(tmp_path):
    rows = [[flat(200), flat(100)], [flat((255, 0, 0)), flat((0, 0, 255))]]
    picture_strip(tmp_path / "strip.png", rows, ["level 1", "a much longer label than fits"])
    image = pixels(tmp_path / "strip.png")
    for color in ((200, 200, 200), (100, 100, 100), (255, 0, 0), (0, 0, 255)):
        assert (image == color).all(axis=2).sum() >= 20 * 40


@pytest.mark.parametrize("rows", [[], [[]], [[flat(0)]]])
def test_picture_strip_of_ragged_rows_is_refused(tmp_path, rows):
    with pytest.raises(ValueError, match="one per label"):
        picture_strip(tmp_path / "strip.png", rows, ["a", "b"])


def plotted_points(path):
    """Centre of each blue disc, left to right."""
    image = pixels(path).astype(int)
    blue = (image[..., 2] - image[..., 0] > 100) & (image[..., 0] < 60)
    columns = np.nonzero(blue.any(axis=0))[0]
    return columns[0], columns[-1], blue


def test_rate_plot_puts_larger_and_better_right_and_up(tmp_path):
    points = [
        RatePoint(bytes=900_000, psnr=27.0, label="level 2"),
        RatePoint(bytes=200_000, psnr=24.0, label="level 1"),
    ]
    rate_plot(tmp_path / "plot.png", points, title="sample")
    left, right, blue = plotted_points(tmp_path / "plot.png")
    assert right - left > 250
    assert np.nonzero(blue[:, left])[0].mean() > np.nonzero(blue[:, right])[0].mean() + 150


@pytest.mark.parametrize("size", [1, 999, 50_000, 123_456_789])
def test_rate_plot_of_one_point_is_drawn(tmp_path, size):
    rate_plot(tmp_path / "plot.png", [RatePoint(bytes=size, psnr=30.0, label="only")])
    assert plotted_points(tmp_path / "plot.png")[2].any()


def test_rate_plot_without_finite_points_is_refused(tmp_path):
    with pytest.raises(ValueError, match="finite PSNR"):
        rate_plot(tmp_path / "plot.png", [RatePoint(bytes=1, psnr=float("nan"), label="")])


def test_report_where_a_file_is_in_the_way_raises_output_error(tmp_path):
    (tmp_path / "taken").write_text("x")
    with pytest.raises(OutputError):
        picture_strip(tmp_path / "taken" / "strip.png", [[flat(0)]], ["a"])
