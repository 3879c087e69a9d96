"""Rate-distortion of one progressive file against single-rate trainings and the usual formats.

    npm install --prefix benchmarks/peers
    python benchmarks/rate_distortion.py --scenes fox bonsai --brief gold_cape south_building

All trainings of a scene share images, hold-out, size, iterations and rasterizer. Quality is that
of held-out views, drawn from the file on disk by a process of its own. What is in `--out` is not
done again, and an interrupted training goes on: run the same command. Writes
`results/rate_distortion.json` and `docs/images/rate_distortion.png`.
"""

import argparse
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bd_rate import bd_rate, bytes_at
from machine import write_result
from rd_plot import draw_curves
from rd_variants import Variant, variants

BENCHMARKS = Path(__file__).resolve().parent
PICTURE = BENCHMARKS.parent / "docs" / "images" / "rate_distortion.png"
CURVES = ("progressive", "single", "3dgs", "neural", "coarse")
LONG_CURVES = ("3dgs", "neural", "coarse")
EXACT_DB = 0.005
"""A head whose splats lose less is as good as exact."""
Row = dict[str, object]


class SceneRuns:
    """The trainings of one image set, in a folder of their own."""

    def __init__(self, scene: Path, options: argparse.Namespace) -> None:
        self.scene, self.options = scene, options
        self.folder = options.out / scene.name

    def points(self, variant: Variant) -> Row:
        """Return what one training gives, done before or now."""
        folder = self.folder / variant.name
        folder.mkdir(parents=True, exist_ok=True)
        result = folder / "points.json"
        if not result.is_file():
            start = time.monotonic()
            if variant.curve == "3dgs":
                self._plain(folder, result)
            else:
                self._ours(variant, folder, result)
            print(f"  {variant.name}: {time.monotonic() - start:.0f} s", flush=True)
        seconds = json.loads((folder / "seconds.json").read_text())
        return {"variant": variant.name, "curve": variant.curve, **seconds, **_read(result)}

    def _ours(self, variant: Variant, folder: Path, result: Path) -> None:
        config, run, file = folder / "config.json", folder / "run", folder / "scene.pcgs"
        config.write_text(json.dumps(variant.settings))
        engine = ("-m", "pcgs_engine")
        train = [
            *engine, "train", self.scene, "--out", run, "--config", config, "--preset", "preview",
            "--iterations", self.options.iterations, "--max-size", self.options.size,
            "--device", "cpu", "--resume", "--progress", "none",
        ]  # fmt: skip
        encode = [*engine, "encode", run, "--out", file, "--no-quality", "--progress", "none"]
        self._timed(folder, train_seconds=lambda: _python(train),
                    encode_seconds=lambda: _python(encode))  # fmt: skip
        _python([BENCHMARKS / "judge_file.py", file, "--scene", self.scene, "--out", result])

    def _plain(self, folder: Path, result: Path) -> None:
        ply = folder / "scene.ply"
        size = ["--size", self.options.size]
        train = [
            BENCHMARKS / "plain_splats.py", self.scene, "--out", ply,
            "--iterations", self.options.iterations, *size,
        ]  # fmt: skip
        self._timed(folder, train_seconds=lambda: _python(train))
        _python([
            BENCHMARKS / "peer_formats.py", ply, "--scene", self.scene, "--out", result, *size,
            "--minutes", self.options.minutes, "--sog-iterations", self.options.sog_iterations,
        ])  # fmt: skip

    def _timed(self, folder: Path, **steps: Callable[[], None]) -> None:
        """Run steps that are not done and keep their seconds."""
        path = folder / "seconds.json"
        seconds = _read(path) if path.is_file() else {}
        for name, step in steps.items():
            if name not in seconds:
                start = time.monotonic()
                step()
                seconds[name] = time.monotonic() - start
                path.write_text(json.dumps(seconds))


def _python(arguments: list[object]) -> None:
    subprocess.run([sys.executable, *map(str, arguments)], check=True)


def _read(path: Path) -> Row:
    found: Row = json.loads(path.read_text())
    return found


def curves_of(rows: list[Row]) -> dict[str, list[tuple[float, float]]]:
    """Return bytes and PSNR by curve: points of files that can be cut, single points of peers.

    "NAME" holds all cut points of a training's file, its head drawn as trained; "NAME levels" the
    ends of its levels, "NAME splats" the same after `to_splats`.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        points = [(p["bytes"], p["psnr"]) for p in row["points"]]  # type: ignore[attr-defined]
        curve = str(row["curve"])
        if curve == "3dgs":
            for point, size_and_psnr in zip(row["points"], points, strict=True):  # type: ignore[call-overload]
                found[point["format"]] = [size_and_psnr]
            continue
        found.setdefault(curve, []).extend(points)
        for kind, key in (("levels", "head_psnr"), ("splats", "psnr")):
            ends = [(e["bytes"], e[key]) for e in row["exported"]]  # type: ignore[attr-defined]
            found.setdefault(f"{curve} {kind}", []).extend(ends)
    return found


def summary(scene: str, rows: list[Row]) -> Row:
    """Return the figures the bars are about; None where a curve is absent or does not reach."""
    curves = curves_of(rows)
    files = {
        str(row["curve"]): file_figures(row, curves) | ssim_figures(row, rows)
        for row in rows
        if row["curve"] not in ("single", "3dgs")
    }
    return {"scene": scene, "files": files}


def file_figures(row: Row, curves: dict[str, list[tuple[float, float]]]) -> Row:
    """Return how one progressive file compares with single-rate trainings and with peers.

    Peers are compared with what a user sees, the splats; between levels an explicit head's cut
    points are splats too.
    """
    name, single = str(row["curve"]), curves.get("single", [])
    levels, splats = curves[f"{name} levels"], curves[f"{name} splats"]
    exported: list[dict[str, float]] = row["exported"]  # type: ignore[assignment]
    losses = [e["head_psnr"] - e["psnr"] for e in exported]
    shown = curves[name] if max(losses) < EXACT_DB else splats
    found: Row = {
        "bd_rate_levels": bd_rate(levels, single),
        "bd_rate_cut_points": bd_rate(curves[name], single),
        "level_1_share": levels[0][0] / levels[-1][0],
        "level_1_behind_db": levels[-1][1] - levels[0][1],
        "levels_rise": all(a[1] < b[1] for a, b in itertools.pairwise(levels)),
        "to_splats_loss_db": max(losses),
    }
    for peer in ("SPZ", "SOG", "compressed PLY", "PLY"):
        for size, quality in curves.get(peer, []):
            ours = bytes_at(shown, quality)
            found[f"times smaller than {peer}"] = None if ours is None else size / ours
    return found


def ssim_figures(row: Row, rows: list[Row]) -> Row:
    """Return the BD-rate at equal SSIM, which held-out noise moves less than PSNR."""

    def levels(found: Row) -> list[tuple[float, float]]:
        points: list[dict[str, float]] = found["points"]  # type: ignore[assignment]
        return [(p["bytes"], p["ssim"]) for p in points if p["level_ends"]]

    single = [point for other in rows if other["curve"] == "single" for point in levels(other)]
    return {"bd_rate_levels_ssim": bd_rate(levels(row), single)}


def mean_figures(scenes: list[Row]) -> Row:
    """Return the mean BD-rates over the scenes, by training."""
    found: Row = {}
    for name in scenes[0]["summary"]["files"]:  # type: ignore[index]
        files = [s["summary"]["files"].get(name, {}) for s in scenes]  # type: ignore[index]
        for figure in ("bd_rate_levels", "bd_rate_cut_points", "bd_rate_levels_ssim"):
            values = [f[figure] for f in files if f.get(figure) is not None]
            if values:
                found[f"{name}: mean {figure}"] = sum(values) / len(values)
    return found


def table(rows: list[Row]) -> str:
    """Return a Markdown table of files: ends of levels and peers."""
    lines = [
        "| file | level | bytes | bytes per splat | PSNR dB | SSIM | train s | encode s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        plain = row["curve"] == "3dgs"
        for p in row["points"] if plain else row["exported"]:  # type: ignore[attr-defined]
            encode = p["encode_seconds"] if plain else row["encode_seconds"]
            lines.append(
                f"| {p['format'] if plain else row['variant']} | {'' if plain else p['level']} "
                f"| {p['bytes']:,} | {p['bytes'] / p['splats']:.1f} "
                f"| {p['psnr'] if plain else p['head_psnr']:.2f} | {p['ssim']:.4f} "
                f"| {row['train_seconds']:.0f} | {encode:.1f} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--scenes", nargs="+", default=["fox", "bonsai"])
    parser.add_argument(
        "--curves", nargs="+", default=list(CURVES), choices=CURVES
    )  # fmt: skip
    parser.add_argument(
        "--brief", nargs="+", default=[], metavar="SCENE",
        help="further scenes, of which only this engine's explicit files are made",
    )  # fmt: skip
    parser.add_argument("--iterations", type=int, default=3000)
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--out", type=Path, default=Path("runs/rate_distortion"))
    parser.add_argument(
        "--minutes", type=float, default=120, help="limit of a conversion to a peer's format"
    )
    parser.add_argument(
        "--sog-iterations", type=int, default=10, help="of SOG's clustering; 10 is its own default"
    )
    parser.add_argument("--name", default="rate_distortion", help="name of the result file")
    options = parser.parse_args()
    options.out = options.out.resolve()
    scenes = []
    for name in [*options.scenes, *options.brief]:
        curves = [c for c in options.curves if name in options.scenes or c not in LONG_CURVES]
        print(f"{name} ...", flush=True)
        runs = SceneRuns((options.data / name).resolve(), options)
        rows = [runs.points(variant) for variant in variants(curves)]
        figures = summary(name, rows)
        scenes.append({"scene": name, "rows": rows, "summary": figures})
        settings = {"iterations": options.iterations, "size": options.size}
        path = write_result(options.name, {"settings": settings, "scenes": scenes})
        print(f"{table(rows)}\n{json.dumps(figures, indent=1)}", flush=True)
        for row in rows:
            for peer, reason in row.get("skipped", {}).items():  # type: ignore[attr-defined]
                print(f"{peer}: not run, {reason}")
    print(json.dumps(mean_figures(scenes), indent=1))
    draw_curves({s["scene"]: curves_of(s["rows"]) for s in scenes}, PICTURE)
    print(f"written: {path}, {PICTURE}")


if __name__ == "__main__":
    main()
