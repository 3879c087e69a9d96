"""Rate-distortion of one progressive file against single-rate trainings and the usual formats.

    npm install --prefix benchmarks/peers
    python benchmarks/rate_distortion.py --scenes fox bonsai --brief gold_cape south_building

All trainings of a scene share images, hold-out, size, iterations and rasterizer. Quality is that
of held-out views, drawn from the file on disk by a process of its own. What is in `--out` is not
done again, and an interrupted training goes on: run the same command. Writes
`results/rate_distortion.json` and `docs/images/rate_distortion.png`, or with `--name` others.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from machine import write_result
from rd_plot import draw_curves
from rd_summary import curves_of, mean_figures, summary, table
from rd_variants import Variant, variants

BENCHMARKS = Path(__file__).resolve().parent
PICTURES = BENCHMARKS.parent / "docs" / "images"
CURVES = ("progressive", "single", "3dgs", "fine", "neural", "coarse")
LONG_CURVES = ("3dgs", "fine", "neural", "coarse")
REPEATED = ("progressive", "single")
"""Curves that are trained from every seed; of the others the first one."""
Row = dict[str, object]


class SceneRuns:
    """The trainings of one image set, in a folder of their own."""

    def __init__(self, scene: Path, options: argparse.Namespace) -> None:
        self.scene, self.options = scene, options
        self.folder = options.out / scene.name

    def points(self, variant: Variant, seed: int) -> Row:
        """Return what one training gives, done before or now."""
        folder = self.folder / (f"{variant.name}_seed{seed}" if seed else variant.name)
        folder.mkdir(parents=True, exist_ok=True)
        result = folder / "points.json"
        if not result.is_file():
            start = time.monotonic()
            if variant.curve == "3dgs":
                self._plain(folder, result)
            else:
                self._ours(variant, seed, folder, result)
            print(f"  {folder.name}: {time.monotonic() - start:.0f} s", flush=True)
        seconds = json.loads((folder / "seconds.json").read_text())
        named = {"variant": variant.name, "curve": variant.curve, "seed": seed}
        return {**named, **seconds, **_read(result)}

    def _ours(self, variant: Variant, seed: int, folder: Path, result: Path) -> None:
        config, run, file = folder / "config.json", folder / "run", folder / "scene.pcgs"
        config.write_text(json.dumps(variant.settings))
        engine = ("-m", "pcgs_engine")
        train = [
            *engine, "train", self.scene, "--out", run, "--config", config, "--preset", "preview",
            "--iterations", self.options.iterations, "--max-size", self.options.size,
            "--seed", seed, "--device", "cpu", "--resume", "--progress", "none",
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
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0],
        help="train progressive and single-rate files from each, and take means",
    )  # fmt: skip
    parser.add_argument(
        "--once", nargs="+", default=[], metavar="SCENE",
        help="scenes that are trained from the first seed alone",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("runs/rate_distortion"))
    parser.add_argument(
        "--minutes", type=float, default=120, help="limit of a conversion to a peer's format"
    )
    parser.add_argument(
        "--sog-iterations", type=int, default=10, help="of SOG's clustering; 10 is its own default"
    )
    parser.add_argument("--name", default="rate_distortion", help="name of the results")
    options = parser.parse_args()
    options.out = options.out.resolve()
    scenes = []
    for name in [*options.scenes, *options.brief]:
        curves = [c for c in options.curves if name in options.scenes or c not in LONG_CURVES]
        repeated = () if name in options.once else REPEATED
        print(f"{name} ...", flush=True)
        runs = SceneRuns((options.data / name).resolve(), options)
        rows = [
            runs.points(variant, seed)
            for variant in variants(curves)
            for seed in (options.seeds if variant.curve in repeated else options.seeds[:1])
        ]
        figures = summary(name, rows)
        scenes.append({"scene": name, "rows": rows, "summary": figures})
        settings = {k: getattr(options, k) for k in ("iterations", "size", "seeds")}
        path = write_result(options.name, {"settings": settings, "scenes": scenes})
        print(f"{table(rows)}\n{json.dumps(figures, indent=1)}", flush=True)
        for row in rows:
            for peer, reason in row.get("skipped", {}).items():  # type: ignore[attr-defined]
                print(f"{peer}: not run, {reason}")
    print(json.dumps(mean_figures(scenes), indent=1))
    picture = PICTURES / f"{options.name}.png"
    draw_curves(
        {
            label: {s["scene"]: curves_of(s["rows"], quality) for s in scenes}
            for label, quality in (("PSNR, dB", "psnr"), ("SSIM", "ssim"))
        },
        picture,
    )
    print(f"written: {path}, {picture}")


if __name__ == "__main__":
    main()
