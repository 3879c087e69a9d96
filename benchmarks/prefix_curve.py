"""PSNR over bytes at every cut point of one file: what a download shows while it arrives.

    python benchmarks/prefix_curve.py lego.pcgs fox.pcgs bonsai.pcgs --scene ../shared/data/lego \
        --scene ../shared/data/fox --scene ../shared/data/bonsai

The file is fed once, cut point by cut point; what is decoded by then is rendered from the held-out
views. Ends with status 1 where more bytes lose more than 0.05 dB. Writes
`results/prefix_curve.json` and `docs/images/prefix_curve.png`; `--plot-only` draws the last result.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pcgs_engine.cli.environment import prepare_environment

prepare_environment()  # waiting threads must sleep; torch reads this when it starts

import matplotlib.pyplot as plt  # noqa: E402
from file_points import Point, file_points  # noqa: E402
from machine import RESULTS, write_result  # noqa: E402

from pcgs_engine.render.cpu_backend import CpuRasterizer  # noqa: E402

ALLOWED_LOSS = 0.05
"""dB that a longer prefix may lose."""
PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "prefix_curve.png"
INK, LINE, GRID = "#24292f", "#0969da", "#d8dee4"


def largest_loss(points: Sequence[Point]) -> float:
    """Return by how much the worst prefix is below a shorter one, dB."""
    best, loss = points[0].psnr, 0.0
    for point in points:
        loss = max(loss, best - point.psnr)
        best = max(best, point.psnr)
    return loss


def draw(curves: dict[str, list[Point]], path: Path) -> None:
    """One panel per file, all with the same height in dB."""
    plt.rcParams.update({"font.size": 11, "text.color": INK, "axes.labelcolor": INK,
                         "xtick.color": INK, "ytick.color": INK})  # fmt: skip
    figure, panels = plt.subplots(1, len(curves), figsize=(4.0 * len(curves), 3.9), squeeze=False)
    height = max(max(p.psnr for p in c) - min(p.psnr for p in c) for c in curves.values())
    for panel, (name, points) in zip(panels[0], curves.items(), strict=True):
        sizes, quality = [p.bytes / 1000 for p in points], [p.psnr for p in points]
        panel.plot(sizes, quality, "-o", color=LINE, markersize=3, linewidth=1.2)
        ends = [p for p in points if p.level_ends]
        panel.plot([p.bytes / 1000 for p in ends], [p.psnr for p in ends], "o", color=LINE,
                   markersize=8, markerfacecolor="white", markeredgewidth=1.8)  # fmt: skip
        for p in ends:
            last = p is ends[-1]
            panel.annotate(
                f"level {p.level}", (p.bytes / 1000, p.psnr), textcoords="offset points",
                xytext=(4, -20) if last else (6, -20), ha="right" if last else "left",
            )  # fmt: skip
        middle = (max(quality) + min(quality)) / 2
        panel.set_ylim(middle - 0.68 * height, middle + 0.62 * height)
        span = sizes[-1] - sizes[0]
        panel.set_xlim(sizes[0] - 0.08 * span, sizes[-1] + 0.08 * span)
        panel.set_title(f"{name}: {len(points)} cut points", fontsize=12)
        panel.set_xlabel("kB read")
        panel.grid(color=GRID, linewidth=0.8)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0][0].set_ylabel("PSNR of held-out views, dB")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--scene", type=Path, action="append", default=[], help="one per file")
    parser.add_argument("--views", type=int, default=0, help="held-out views; 0: all")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--plot", type=Path, default=PICTURE)
    parser.add_argument("--plot-only", action="store_true")
    options = parser.parse_args()
    if options.plot_only:
        stored = json.loads((RESULTS / "prefix_curve.json").read_text())["curves"]
        draw({name: [Point(**p) for p in points] for name, points in stored.items()}, options.plot)
        return
    curves, rasterizer = {}, CpuRasterizer(threads=options.threads)
    print("| scene | points | level 1 kB, dB | end kB, dB | largest loss |\n|---|---|---|---|---|")
    for file, scene in zip(options.files, options.scene, strict=True):
        points = file_points(file, scene, rasterizer, views=options.views)
        curves[scene.name] = points
        first, last = points[0], points[-1]
        print(
            f"| {scene.name} | {len(points)} | {first.bytes / 1000:.1f}, {first.psnr:.3f} "
            f"| {last.bytes / 1000:.1f}, {last.psnr:.3f} | {largest_loss(points):.4f} dB "
            f"(<= {ALLOWED_LOSS}) |",
            flush=True,
        )
    plain = {name: [asdict(p) for p in points] for name, points in curves.items()}
    print(write_result("prefix_curve", {"views": options.views, "curves": plain}))
    draw(curves, options.plot)
    raise SystemExit(any(largest_loss(points) > ALLOWED_LOSS for points in curves.values()))


if __name__ == "__main__":
    main()
