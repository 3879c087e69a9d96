"""Figures of the rate-distortion benchmark: made-up trainings in, what is known of them out."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("scipy")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from rd_summary import curves_of, mean_figures, summary, table

SIZES = (100_000, 200_000, 400_000)
PSNR = (28.0, 29.5, 30.2)


def views_of(psnr):
    """Three views, 2 dB apart."""
    return [{"psnr": q, "ssim": q / 100} for q in (psnr - 2, psnr, psnr + 2)]


def file_row(curve, variant, sizes, psnr, *, seed=0, loss=0.0):
    """A training with one cut point per level and a level's end each; SSIM is PSNR / 100."""
    points = [
        {"bytes": b, "psnr": q, "ssim": q / 100, "level_ends": True, "views": views_of(q)}
        for b, q in zip(sizes, psnr, strict=True)
    ]
    exported = [
        {**p, "level": i + 1, "splats": 1000, "head_psnr": p["psnr"], "psnr": p["psnr"] - loss}
        for i, p in enumerate(points)
    ]
    return {
        "variant": variant, "curve": curve, "seed": seed, "train_seconds": 1.0,
        "encode_seconds": 1.0, "points": points, "exported": exported,
    }  # fmt: skip


def singles(seed=0, shift=0.0):
    return [
        file_row("single", f"single_{b}", [b], [q + shift], seed=seed)
        for b, q in zip(SIZES, PSNR, strict=True)
    ]


def progressive(factor, seed=0, shift=0.0, **more):
    sizes, psnr = [b * factor for b in SIZES], [q + shift for q in PSNR]
    return file_row("progressive", "progressive", sizes, psnr, seed=seed, **more)


def figures(rows):
    return summary("scene", rows)["files"]["progressive"]


def test_a_file_that_is_a_fifth_smaller_at_equal_quality():
    found = figures([progressive(0.8), *singles()])
    assert found["bd_rate_levels"] == pytest.approx(-20)
    assert found["bd_rate_levels_ssim"] == pytest.approx(-20)
    assert found["bd_rate_cut_points"] == pytest.approx(-20)
    assert (found["seeds"], found["levels_rise"]) == (1, True)
    assert found["level_1_share"] == pytest.approx(0.25)
    assert found["level_1_behind_db"] == pytest.approx(2.2)


def test_seeds_are_averaged_on_both_sides():
    """Opposite errors of two seeds cancel; each seed alone shows its own."""
    rows = [progressive(1.0, 0, 0.3), progressive(1.0, 1, -0.3), *singles(0, 0.2)]
    found = figures([*rows, *singles(1, -0.2)])
    assert found["seeds"] == 2
    assert found["bd_rate_levels"] == pytest.approx(0, abs=1e-6)
    better, worse = (seed["bd_rate_levels"] for seed in found["by_seed"])
    assert better < -5
    assert worse > 5


def test_a_level_that_falls_in_one_seed_is_told():
    fallen = progressive(1.0, 1)
    fallen["points"][2]["psnr"] = 29.4
    assert not figures([progressive(1.0), fallen, *singles()])["levels_rise"]


def test_one_view_that_fails_moves_the_mean_but_not_the_median_of_views():
    row = progressive(0.8)
    for point in row["points"]:
        point["views"][0]["psnr"] -= 1.5
        point["psnr"] -= 0.5
    found = figures([row, *singles()])
    assert found["bd_rate_levels"] > 5
    assert found["bd_rate_median_view"] == pytest.approx(-20)
    assert found["bd_rate_median_view_ssim"] == pytest.approx(-20)


def test_views_that_no_reference_reaches_are_left_out_of_the_median():
    row = progressive(0.8)
    for point in row["points"]:
        for view in point["views"][:2]:
            view["psnr"] += 20
    assert figures([row, *singles()])["bd_rate_median_view"] == pytest.approx(-20)


def test_points_judged_before_views_were_kept_have_no_median_of_them():
    row = progressive(0.8)
    for point in row["points"]:
        del point["views"]
    found = figures([row, *singles()])
    assert found["bd_rate_median_view"] is None
    assert found["bd_rate_levels"] == pytest.approx(-20)


def test_levels_may_rise_in_ssim_alone():
    row = progressive(1.0)
    row["points"][2]["psnr"] = 29.4
    found = figures([row, *singles()])
    assert (found["levels_rise"], found["levels_rise_ssim"]) == (False, True)


def test_files_with_different_cut_points_have_no_mean_of_them():
    """Ends of levels are still compared."""
    other = progressive(1.0, 1)
    cut = {"bytes": 300_000, "psnr": 29.7, "ssim": 0.297, "level_ends": False}
    other["points"].insert(2, cut)
    found = figures([progressive(1.0), other, *singles()])
    assert found["bd_rate_cut_points"] is None
    assert found["bd_rate_levels"] == pytest.approx(0, abs=1e-6)


def test_peers_are_compared_with_what_users_see():
    peer = {"variant": "3dgs", "curve": "3dgs", "seed": 0,
            "points": [{"format": "SPZ", "bytes": 1_000_000, "psnr": 29.5}]}  # fmt: skip
    exact, lossy = (figures([progressive(1.0, loss=x), *singles(), peer]) for x in (0.0, 0.5))
    assert exact["times smaller than SPZ"] == pytest.approx(5)
    assert lossy["times smaller than SPZ"] < 4
    assert lossy["to_splats_loss_db"] == pytest.approx(0.5)
    poor = figures([progressive(1.0, shift=-2.0), *singles(), peer])
    assert poor["times smaller than SPZ"] is None


def test_means_say_how_many_scenes_they_are_of():
    rows = [progressive(0.8), *singles()]
    apart = [progressive(0.8, shift=20.0), *singles()]
    scenes = [{"summary": summary(name, r)} for name, r in (("a", rows), ("b", apart))]
    found = mean_figures(scenes)
    assert found["progressive: mean bd_rate_levels of 1"] == pytest.approx(-20)
    assert found["progressive: mean level_1_share of 2"] == pytest.approx(0.25)


def test_curves_and_table_hold_every_training():
    rows = [progressive(0.8), progressive(0.8, 1), *singles()]
    assert len(curves_of(rows)["single"]) == 3
    assert len(curves_of(rows)["progressive levels"]) == 3
    assert table(rows).count("\n") == 1 + 2 * 3 + 3
