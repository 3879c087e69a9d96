"""Figures of one scene of `rate_distortion.py`: its trainings' points in, BD-rates and shares out.

Held-out quality of one training is noisy (docs/experiments.md), so a scene may be trained from
several seeds. Points are then averaged over the seeds, and BD-rates taken between the means;
`by_seed` shows what each progressive file alone gives against the same mean reference.
One view in which one Gaussian hangs before the camera can decide a scene's mean PSNR, so BD-rates
are taken view by view as well, and their median is told.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from bd_rate import bd_rate, bytes_at

__all__ = ["curves_of", "mean_figures", "summary", "table"]

EXACT_DB = 0.005
"""A head whose splats lose less is as good as exact."""
MEANS = (
    "bd_rate_levels",
    "bd_rate_levels_ssim",
    "bd_rate_cut_points",
    "bd_rate_cut_points_ssim",
    "bd_rate_median_view",
    "bd_rate_median_view_ssim",
    "level_1_share",
)
PEERS = ("SPZ", "SOG", "compressed PLY", "PLY")
Row = dict[str, object]
Points = list[tuple[float, float]]
"""Bytes and quality."""


def curves_of(rows: Sequence[Row], quality: str = "psnr") -> dict[str, Points]:
    """Return bytes and `quality` by curve, means over the seeds; single points of peers.

    "NAME" holds all cut points, the head drawn as trained, and nothing where the seeds' files
    differ in how many they have; "NAME levels" the ends of levels, "NAME splats" the same after
    `to_splats`.
    """
    found: dict[str, Points] = {}
    for variant in _variants(rows):
        curve = str(variant[0]["curve"])
        if curve == "3dgs":
            for point in variant[0]["points"]:  # type: ignore[attr-defined]
                found[point["format"]] = [(point["bytes"], point[quality])]
            continue
        cuts = [_cut_points(row, quality) for row in variant]
        comparable = len({len(points) for points in cuts}) == 1
        found.setdefault(curve, []).extend(_mean(cuts) if comparable else [])
        found.setdefault(f"{curve} levels", []).extend(_mean_levels(variant, quality))
        splats = _mean([_exported(row, quality) for row in variant])
        found.setdefault(f"{curve} splats", []).extend(splats)
    return found


def summary(scene: str, rows: Sequence[Row]) -> Row:
    """Return the figures the bars are about; None where a curve is absent or does not reach."""
    curves = curves_of(rows)
    files = {
        str(variant[0]["curve"]): _file_figures(variant, rows, curves)
        for variant in _variants(rows)
        if variant[0]["curve"] not in ("single", "3dgs")
    }
    return {"scene": scene, "files": files}


def _file_figures(variant: list[Row], rows: Sequence[Row], curves: dict[str, Points]) -> Row:
    """Return how a progressive file compares with single-rate trainings and with peers.

    Peers are compared with what a user sees, the splats; between levels an explicit head's cut
    points are splats too.
    """
    name = str(variant[0]["curve"])
    levels, splats = curves[f"{name} levels"], curves[f"{name} splats"]
    loss = max(max(_export_losses(row)) for row in variant)
    shown = (curves[name] or levels) if loss < EXACT_DB else splats
    single, single_ssim = (_reference(rows, quality) for quality in ("psnr", "ssim"))
    found: Row = {
        "seeds": len(variant),
        "bd_rate_levels": bd_rate(levels, single),
        "bd_rate_levels_ssim": bd_rate(_mean_levels(variant, "ssim"), single_ssim),
        "bd_rate_cut_points": bd_rate(curves[name], single),
        "bd_rate_cut_points_ssim": bd_rate(curves_of(variant, "ssim")[name], single_ssim),
        "bd_rate_median_view": _median_view(variant, rows, "psnr"),
        "bd_rate_median_view_ssim": _median_view(variant, rows, "ssim"),
        "by_seed": [
            {
                "seed": row["seed"],
                "bd_rate_levels": bd_rate(_levels(row, "psnr"), single),
                "bd_rate_levels_ssim": bd_rate(_levels(row, "ssim"), single_ssim),
            }
            for row in variant
        ],
        "level_1_share": levels[0][0] / levels[-1][0],
        "level_1_behind_db": levels[-1][1] - levels[0][1],
        "levels_rise": _all_rise(variant, "psnr"),
        "levels_rise_ssim": _all_rise(variant, "ssim"),
        "to_splats_loss_db": loss,
    }
    for peer in PEERS:
        for size, quality in curves.get(peer, []):
            ours = bytes_at(shown, quality)
            found[f"times smaller than {peer}"] = None if ours is None else size / ours
    return found


def _median_view(variant: list[Row], rows: Sequence[Row], quality: str) -> float | None:
    """Return the median of the views' own BD-rates, of those whose curves meet; None of none."""
    count = min(_view_count(row) for row in [*variant, *_singles(rows)])
    found = []
    for view in range(count):
        own = _mean_levels(variant, quality, view)
        found.append(bd_rate(own, _reference(rows, quality, view)))
    known = [rate for rate in found if rate is not None]
    return float(np.median(known)) if known else None


def mean_figures(scenes: Sequence[Row]) -> Row:
    """Return means over the scenes, by training."""
    found: Row = {}
    for name in scenes[0]["summary"]["files"]:  # type: ignore[index]
        files = [s["summary"]["files"].get(name, {}) for s in scenes]  # type: ignore[index]
        for figure in MEANS:
            values = [f[figure] for f in files if f.get(figure) is not None]
            if values:
                found[f"{name}: mean {figure} of {len(values)}"] = sum(values) / len(values)
    return found


def table(rows: Sequence[Row]) -> str:
    """Return a Markdown table of files: ends of levels and peers."""
    lines = [
        "| file | seed | level | bytes | bytes per splat | PSNR dB | SSIM | train s | encode s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        plain = row["curve"] == "3dgs"
        for p in row["points"] if plain else row["exported"]:  # type: ignore[attr-defined]
            encode = p["encode_seconds"] if plain else row["encode_seconds"]
            lines.append(
                f"| {p['format'] if plain else row['variant']} | {row['seed']} "
                f"| {'' if plain else p['level']} | {p['bytes']:,} "
                f"| {p['bytes'] / p['splats']:.1f} | {p['psnr'] if plain else p['head_psnr']:.2f} "
                f"| {p['ssim']:.4f} | {row['train_seconds']:.0f} | {encode:.1f} |"
            )
    return "\n".join(lines)


def _variants(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the rows of each training, its seeds together, in order."""
    found: dict[object, list[Row]] = {}
    for row in rows:
        found.setdefault(row["variant"], []).append(row)
    return list(found.values())


def _singles(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["curve"] == "single"]


def _reference(rows: Sequence[Row], quality: str, view: int | None = None) -> Points:
    """Return the single-rate curve, a mean point for each λ."""
    variants = _variants(_singles(rows))
    return [point for variant in variants for point in _mean_levels(variant, quality, view)]


def _mean_levels(variant: list[Row], quality: str, view: int | None = None) -> Points:
    return _mean([_levels(row, quality, view) for row in variant])


def _view_count(row: Row) -> int:
    points: list[Row] = row["points"]  # type: ignore[assignment]
    # points judged before views were kept have none
    return min(len(p.get("views", ())) for p in points if p["level_ends"])  # type: ignore[arg-type]


def _all_rise(variant: list[Row], quality: str) -> bool:
    curves = [_levels(row, quality) for row in variant]
    return all(a[1] < b[1] for curve in curves for a, b in itertools.pairwise(curve))


def _cut_points(row: Row, quality: str) -> Points:
    points: list[dict[str, float]] = row["points"]  # type: ignore[assignment]
    return [(p["bytes"], p[quality]) for p in points]


def _levels(row: Row, quality: str, view: int | None = None) -> Points:
    """Return the ends of a file's levels, its head drawn as trained; of all views or of one."""
    points: list[Any] = row["points"]  # type: ignore[assignment]
    ends = [p for p in points if p["level_ends"]]
    return [(p["bytes"], (p if view is None else p["views"][view])[quality]) for p in ends]


def _exported(row: Row, quality: str) -> Points:
    return [(e["bytes"], e[quality]) for e in row["exported"]]  # type: ignore[attr-defined]


def _export_losses(row: Row) -> list[float]:
    exported: list[dict[str, float]] = row["exported"]  # type: ignore[assignment]
    return [e["head_psnr"] - e["psnr"] for e in exported]


def _mean(curves: list[Points]) -> Points:
    """Return the mean curve: geometric in bytes, as BD-rates compare logarithms."""
    sizes, qualities = np.array(curves, dtype=np.float64).transpose(2, 0, 1)
    sizes = np.exp(np.log(sizes).mean(axis=0))
    return list(zip(sizes.tolist(), qualities.mean(axis=0).tolist(), strict=True))
