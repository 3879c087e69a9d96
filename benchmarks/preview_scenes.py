"""Train, encode and evaluate real scenes with one preset: the README's table of levels.

Every step is the command line in a process of its own, so that quality is measured on what a
separate process decodes from the file on disk:

    python benchmarks/preview_scenes.py --data ../shared/data --scenes lego_synthetic fox bonsai
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from machine import write_result

ENGINE = (sys.executable, "-m", "pcgs_engine")


def run_engine(*arguments: str) -> str:
    """Run one command and return its standard output."""
    done = subprocess.run([*ENGINE, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def last_message(log: Path, kind: str) -> dict[str, object]:
    """Return the last message of a type in a run's log."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return next(line for line in reversed(lines) if line["type"] == kind)


def run_scene(scene: Path, out: Path, options: argparse.Namespace) -> dict[str, object]:
    """Take one image set the whole way."""
    run, file = out / "run", out / "scene.pcgs"
    train_options = [
        "--preset", options.preset, "--device", options.device, "--head", options.head,
    ]  # fmt: skip
    if options.iterations:
        train_options += ["--iterations", str(options.iterations)]
    start = time.monotonic()
    kept = options.keep_runs and (run / "log.jsonl").exists()
    if not kept:
        run_engine("train", str(scene), "--out", str(run), *train_options, "--progress", "none")
    trained = time.monotonic()
    run_engine("encode", str(run), "--out", str(file), "--no-quality", "--progress", "none")
    encoded = time.monotonic()
    quality = json.loads(run_engine("eval", str(file), "--scene", str(scene), "--json",
                                    "--progress", "none"))  # fmt: skip
    evaluated = time.monotonic()
    info = json.loads(run_engine("inspect", str(file), "--json"))
    anchors = {level["level"]: level["anchors"] for level in info["levels"]}
    levels = [{**level, "anchors": anchors[level["level"]]} for level in quality["levels"]]
    progress = last_message(run / "log.jsonl", "progress")
    return {
        "scene": scene.name,
        "iterations": progress["total"],
        "train_seconds": last_message(run / "log.jsonl", "evaluated")["seconds"]
        if kept
        else trained - start,
        "encode_seconds": encoded - trained,
        "eval_seconds": evaluated - encoded,
        "file_bytes": file.stat().st_size,
        "components": info["components"],
        "levels": levels,
    }


def table(results: list[dict[str, object]]) -> str:
    """Return a Markdown table, one row per scene and level."""
    rows = [
        "| scene | level | bytes | PSNR dB | SSIM | anchors | splats | training s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        rows += [
            f"| {result['scene']} | {level['level']} | {level['bytes']:,} "
            f"| {level['psnr']:.2f} | {level['ssim']:.4f} | {level['anchors']:,} "
            f"| {level['splats']:,} | {result['train_seconds']:.0f} |"
            for level in result["levels"]  # type: ignore[attr-defined]
        ]
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--scenes", nargs="+", default=["lego_synthetic", "fox", "bonsai"])
    parser.add_argument("--preset", default="preview")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--head", default="explicit")
    parser.add_argument("--iterations", type=int, default=0, help="0: the preset's")
    parser.add_argument(
        "--keep-runs", action="store_true", help="encode and judge runs that are there, again"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/preview_scenes"))
    parser.add_argument("--name", default="preview_scenes", help="name of the result file")
    options = parser.parse_args()
    results = []
    for name in options.scenes:
        print(f"{name} ...", flush=True)
        results.append(run_scene(options.data / name, options.out / name, options))
        settings = {
            key: str(value) for key, value in vars(options).items() if key not in ("out", "data")
        }
        path = write_result(options.name, {"settings": settings, "scenes": results})
        print(table(results[-1:]), flush=True)
    print(f"\n{table(results)}\n\nwritten: {path}")


if __name__ == "__main__":
    main()
