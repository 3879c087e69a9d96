"""What a smaller level 1 costs: trained runs in, sizes and quality of their files out.

    python benchmarks/first_level.py --runs runs/rate_distortion --scenes fox bonsai

Encodes the progressive runs that `rate_distortion.py` left with several `pcgs encode --first-level`
and judges every file by a process of its own; means over the seeds that are there. What is in
`--out` is not done again. Writes `results/first_level.json`.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from machine import write_result

BENCHMARKS = Path(__file__).resolve().parent
MEASURED = ("bytes", "psnr", "ssim")
Level = dict[str, float]


def judged(run: Path, scene: Path, part: float, out: Path) -> list[Level]:
    """Encode a run, judge the file, return bytes, PSNR and SSIM of its levels."""
    file, points = out.with_suffix(".pcgs"), out.with_suffix(".json")
    if not points.is_file():
        encode = ["-m", "pcgs_engine", "encode", run, "--out", file, "--scene", scene,
                  "--first-level", part, "--no-quality", "--progress", "none"]  # fmt: skip
        judge = [BENCHMARKS / "judge_file.py", file, "--scene", scene, "--out", points]
        for command in (encode, judge):
            subprocess.run([sys.executable, *map(str, command)], check=True)
    found = json.loads(points.read_text())["points"]
    return [{key: p[key] for key in MEASURED} for p in found if p["level_ends"]]


def mean_levels(files: list[list[Level]]) -> list[Level]:
    """Return the means over files, level by level."""
    return [
        {key: statistics.fmean(level[key] for level in same) for key in MEASURED}
        for same in zip(*files, strict=True)
    ]


def shown(scene: str, part: float, files: list[list[Level]]) -> str:
    """Return a row of the table."""
    levels = mean_levels(files)
    first, last = levels[0], levels[-1]
    sizes = [
        f"{x['bytes'] / 1000:.0f} kB {x['psnr']:.2f} dB {x['ssim']:.4f}"
        for x in (first, levels[1], last)
    ]
    share, behind = first["bytes"] / last["bytes"], last["psnr"] - first["psnr"]
    return f"| {scene} | {part:g} | {' | '.join(sizes)} | {share:.3f} | {behind:.2f} dB |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--runs", type=Path, default=Path("runs/rate_distortion"))
    parser.add_argument("--scenes", nargs="+", default=["fox", "bonsai"])
    parser.add_argument("--parts", type=float, nargs="+", default=[1.0, 0.5])
    parser.add_argument("--out", type=Path, default=Path("runs/first_level"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []
    print("| scene | asked for | level 1 | level 2 | last level | level 1 of the file | behind |")
    print("|---|---|---|---|---|---|---|")
    for name in options.scenes:
        scene = (options.data / name).resolve()
        runs = sorted((options.runs / name).glob("progressive*/run"))
        for part in options.parts:
            files = [
                judged(run, scene, part, options.out / f"{name}_{run.parent.name}_{part:g}.x")
                for run in runs
            ]
            rows.append({"scene": name, "part": part, "files": files})
            print(shown(name, part, files), flush=True)
    print(f"written: {write_result('first_level', {'rows': rows})}")


if __name__ == "__main__":
    main()
