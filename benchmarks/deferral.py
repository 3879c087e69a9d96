"""What level 1 loses by leaving anchors to level 2: trained runs in, sizes and quality out.

    python benchmarks/deferral.py --runs runs/rate_distortion --scenes fox bonsai

Encodes the progressive runs that `rate_distortion.py` left with several `pcgs encode --defer` and
judges every file by a process of its own. What is in `--out` is not done again. Writes
`results/deferral.json`.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from machine import write_result

BENCHMARKS = Path(__file__).resolve().parent


def level_rows(points: Path) -> list[dict[str, float]]:
    """Return bytes, PSNR and SSIM of every level."""
    found = json.loads(points.read_text())["points"]
    return [{key: p[key] for key in ("level", "bytes", "psnr", "ssim")}
            for p in found if p["level_ends"]]  # fmt: skip


def judged(run: Path, scene: Path, share: float, out: Path) -> list[dict[str, float]]:
    """Encode a run with a share, judge the file, return its levels."""
    file, points = out.with_suffix(".pcgs"), out.with_suffix(".json")
    if not points.is_file():
        encode = ["-m", "pcgs_engine", "encode", run, "--out", file, "--scene", scene,
                  "--defer", share, "--no-quality", "--progress", "none"]  # fmt: skip
        for command in (
            encode,
            [BENCHMARKS / "judge_file.py", file, "--scene", scene, "--out", points],
        ):
            subprocess.run([sys.executable, *map(str, command)], check=True)
    return level_rows(points)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--runs", type=Path, default=Path("runs/rate_distortion"))
    parser.add_argument("--scenes", nargs="+", default=["fox", "bonsai"])
    parser.add_argument("--shares", type=float, nargs="+", default=[0.0, 0.15, 0.31])
    parser.add_argument("--out", type=Path, default=Path("runs/deferral"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []
    print("| scene | share | level 1 | level 2 | last level | level 1 of the file | behind |")
    print("|---|---|---|---|---|---|---|")
    for name in options.scenes:
        run, scene = options.runs / name / "progressive" / "run", options.data / name
        for share in options.shares:
            out = options.out / f"{name}_{share:.2f}.pcgs"
            levels = judged(run.resolve(), scene.resolve(), share, out.resolve())
            first, last = levels[0], levels[-1]
            part, behind = first["bytes"] / last["bytes"], last["psnr"] - first["psnr"]
            rows.append({"scene": name, "share": share, "levels": levels,
                         "level_1_share": part, "level_1_behind_db": behind})  # fmt: skip
            shown = [
                f"{x['bytes'] / 1000:.0f} kB {x['psnr']:.2f} dB {x['ssim']:.4f}" for x in levels
            ]
            print(f"| {name} | {share:.2f} | {' | '.join((shown[0], shown[1], shown[-1]))} "
                  f"| {part:.3f} | {behind:.2f} dB |", flush=True)  # fmt: skip
    print(f"written: {write_result('deferral', {'rows': rows})}")


if __name__ == "__main__":
    main()
