"""How much sooner the present recipe is as good as the one before, both trained here in turn.

    python benchmarks/recipe_time.py ../shared/data/fox --iterations 3000 --shares 0.5 0.67

Trains the preview preset as it was on 23 November 2026 (masks at their threshold, published rates
of learning, degree 1, one level an iteration) for `--iterations`, then the present one for shares
of them. Same images, seed and threads; quality is that of held-out views, decoded from each file
by another process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import write_result

BENCHMARKS = Path(__file__).resolve().parent
FORMER = {
    "model": {"sh_degree": 1},
    "training": {
        "learning_rates": {"feature": 0.0075, "log_scaling": 0.007, "harmonics": 1.0},
        "growth": {"spread": 0.0, "new_gaussians": 0},
        "pruning": {"moments": []},
        "rate": {
            "weights": [10.7e-3, 4e-3, 2e-3],
            "noise_start": 0.1,
            "initial_mask_logit": -3.5,
            "falling_draws": True,
        },
        "all_levels_from": 1.0,
    },
}
Row = dict[str, object]


def run_recipe(
    name: str, settings: Row, iterations: int, folder: Path, options: argparse.Namespace
) -> Row:
    """Train, encode and judge; returns seconds of the training and the ends of levels."""
    config, run, file = folder / "config.json", folder / "run", folder / "scene.pcgs"
    config.write_text(json.dumps(settings))
    engine = ("-m", "pcgs_engine")
    quiet = ["--device", "cpu", "--threads", options.threads, "--progress", "none"]
    start, before = time.monotonic(), os.times()
    _python([
        *engine, "train", options.scene, "--out", run, "--config", config, "--preset", "preview",
        "--iterations", iterations, "--max-size", options.size, *quiet,
    ])  # fmt: skip
    seconds, after = time.monotonic() - start, os.times()
    _python([*engine, "encode", run, "--out", file, "--no-quality", *quiet])
    points = folder / "points.json"
    _python([BENCHMARKS / "judge_file.py", file, "--scene", options.scene, "--out", points])
    found = json.loads(points.read_text())["points"]
    return {
        "recipe": name,
        "iterations": iterations,
        "seconds": seconds,
        "cpu_seconds": after.children_user + after.children_system
        - before.children_user - before.children_system,
        "levels": [point for point in found if point["level_ends"]],
    }  # fmt: skip


def _python(arguments: list[object]) -> None:
    subprocess.run([sys.executable, *map(str, arguments)], check=True)


def line(row: Row) -> str:
    """Return a row of the Markdown table."""
    levels = " / ".join(
        f"{p['bytes'] / 1000:.0f} kB {p['psnr']:.2f} dB {p['ssim']:.4f}"
        for p in row["levels"]  # type: ignore[attr-defined]
    )
    return (
        f"| {row['recipe']}, {row['iterations']} | {row['seconds']:.0f} "
        f"| {row['cpu_seconds']:.0f} | {levels} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scene", type=Path)
    parser.add_argument("--iterations", type=int, default=3000)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.5, 0.67])
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    trainings = [("before", FORMER, options.iterations)]
    trainings += [("present", {}, round(share * options.iterations)) for share in options.shares]
    rows: list[Row] = []
    print("| recipe, iterations | s | CPU s | levels |\n|---|---|---|---|")
    for name, settings, iterations in trainings:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(run_recipe(name, settings, iterations, Path(folder), options))
        print(line(rows[-1]), flush=True)
    settings = {"scene": options.scene.name, "size": options.size, "threads": options.threads}
    print(f"written: {write_result('recipe_time', {'settings': settings, 'rows': rows})}")


if __name__ == "__main__":
    main()
