"""CPU rasterizer against plain torch, and its time by stage: prints tables, writes a JSON file.

    python benchmarks/rasterizer.py [--quick]

Scene: the points of gsplat's test_garden (../shared/data/garden_points) within ±2, sub- or
oversampled, scales from the distance to the three nearest neighbours with 0.4 of logarithmic
noise, random quaternions, opacities beta(1.2, 1.2); where the points are absent, random ones.
Forward is projection, sort, binning and compositing; backward goes all the way to the Gaussians.
"""

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "benchmarks")]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from machine import machine_description, write_result  # noqa: E402
from scipy.spatial import cKDTree  # noqa: E402

from pcgs_engine.kernels.pool import KernelPool  # noqa: E402
from pcgs_engine.model.gaussians import Gaussians  # noqa: E402
from pcgs_engine.render.cpu_backend import CpuRasterizer  # noqa: E402
from pcgs_engine.render.rasterizer import Rasterizer, RenderOutput  # noqa: E402
from pcgs_engine.render.reference_backend import ReferenceRasterizer  # noqa: E402
from pcgs_engine.scene.camera import Camera  # noqa: E402

GARDEN = REPOSITORY.parent / "shared" / "data" / "garden_points" / "test_garden.npz"
BARS = {"forward": 40.0, "backward": 50.0}
"""Least ratios to plain torch at 512², 50k (docs/design.md, CPU rasterizer)."""
STAGES = {
    "project_gaussians": "projection",
    "sort_by_depth": "sort",
    "count_hits": "binning",
    "place_hits": "binning",
    "scatter_hits": "binning",
    "composite_tiles": "raster",
    "composite_tiles_backward": "raster backward",
    "gather_gradients": "gather + projection backward",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A scene and the camera it is seen with."""

    gaussians: Gaussians
    camera: Camera


def load_points() -> tuple[str, np.ndarray, np.ndarray, np.ndarray]:
    """Return the scene's name, points `[P, 3]`, world_to_camera and intrinsics over image size."""
    if GARDEN.is_file():
        with np.load(GARDEN) as data:
            points = data["means3d"]
            points = points[(np.abs(points) < 2).all(-1)]
            scale = np.array([[data["width"]], [data["height"]], [1]], np.float64)
            return "test_garden", points, data["viewmats"][0], data["Ks"][0] / scale
    rng = np.random.default_rng(0)
    pose = np.eye(4)
    pose[2, 3] = 3.0
    intrinsics = np.array([[0.8, 0, 0.5], [0, 0.8, 0.5], [0, 0, 1.0]])
    return "random points", rng.normal(size=(100_000, 3)).clip(-2, 2), pose, intrinsics


def build_view(size: int, count: int) -> View:
    """Return `count` Gaussians and a square camera of `size` pixels."""
    _, points, pose, intrinsics = load_points()
    rng = np.random.default_rng(1)
    chosen = rng.choice(len(points), count, replace=count > len(points))
    means = points[chosen] + rng.normal(size=(count, 3)) * (0.002 if count > len(points) else 0)
    distances = cKDTree(means).query(means, k=4)[0][:, 1:]
    spread = np.sqrt((distances**2).mean(-1)).clip(1e-4)
    fields = {
        "means": means,
        "quats": rng.normal(size=(count, 4)),
        "scales": spread[:, None] * np.exp(0.4 * rng.normal(size=(count, 3))),
        "opacities": rng.beta(1.2, 1.2, count),
        "colors": rng.random((count, 3)),
    }
    tensors = {
        name: torch.from_numpy(values.astype(np.float32)).requires_grad_()
        for name, values in fields.items()
    }
    camera = Camera(
        width=size,
        height=size,
        fx=float(intrinsics[0, 0] * size),
        fy=float(intrinsics[1, 1] * size),
        cx=float(intrinsics[0, 2] * size),
        cy=float(intrinsics[1, 2] * size),
        world_to_camera=pose.astype(np.float64),
    )
    return View(gaussians=Gaussians(**tensors), camera=camera)


def time_call(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return wall ms, process CPU ms and the result of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return 1e3 * wall, 1e3 * cpu, result


def time_view(rasterizer: Rasterizer, view: View) -> dict[str, float]:
    """Time one forward and one backward pass."""
    wall, cpu, output = time_call(lambda: rasterizer.render(view.gaussians, view.camera))
    gradient = torch.linspace(-1, 1, output.image.numel()).view_as(output.image)
    back_wall, back_cpu, _ = time_call(lambda: output.image.backward(gradient))
    view.gaussians.means.grad = None
    return {
        "forward wall": wall,
        "forward cpu": cpu,
        "backward wall": back_wall,
        "backward cpu": back_cpu,
    }


def least(samples: Sequence[dict[str, float]]) -> dict[str, float]:
    """The least of every figure over the samples, one decimal."""
    return {key: round(min(sample[key] for sample in samples), 2) for key in samples[0]}


def compare(size: int, count: int, rounds: int, cpu_runs: int) -> dict[str, Any]:
    """Interleave plain torch (1 thread) with ours (1 and 2 threads) on one view."""
    view = build_view(size, count)
    ours = {1: CpuRasterizer(1), 2: CpuRasterizer(2)}
    samples: dict[str, list[dict[str, float]]] = defaultdict(list)
    for rasterizer in ours.values():
        time_view(rasterizer, view)
    for _ in range(rounds):
        for threads, rasterizer in ours.items():
            for _ in range(cpu_runs):
                samples[f"cpu {threads}"].append(time_view(rasterizer, view))
        samples["torch"].append(time_view(ReferenceRasterizer(), view))
    table: dict[str, Any] = {name: least(rows) for name, rows in samples.items()}
    torch_row, one, two = table["torch"], table["cpu 1"], table["cpu 2"]
    ratios = {}
    for half in BARS:
        ratios[half] = round(torch_row[f"{half} cpu"] / one[f"{half} cpu"], 1)
        ratios[f"{half} wall, 2 threads"] = round(
            torch_row[f"{half} wall"] / two[f"{half} wall"], 1
        )
    passed = all(ratios[half] >= bar for half, bar in BARS.items())
    return {"size": size, "count": count, "ms": table, "ratios": ratios, "bars_passed": passed}


class TimedPool(KernelPool):
    """A pool that adds up the CPU time of every kernel."""

    def __init__(self) -> None:
        super().__init__(1)
        self.spent: dict[str, float] = defaultdict(float)

    def run(self, kernel: Callable[..., Any], pieces: Sequence[tuple[Any, ...]]) -> None:
        """Run and time."""
        start = time.process_time()
        super().run(kernel, pieces)
        self.spent[STAGES[kernel.__name__]] += 1e3 * (time.process_time() - start)


def time_stages(size: int, count: int, runs: int) -> dict[str, Any]:
    """CPU ms of every stage on one thread, least of `runs`."""
    view = build_view(size, count)
    rasterizer = CpuRasterizer(1)
    rows = []
    for _ in range(runs):
        rasterizer.pool = pool = TimedPool()
        total = time_view(rasterizer, view)
        row = dict(pool.spent)
        row["forward"], row["backward"] = total["forward cpu"], total["backward cpu"]
        rows.append(row)
    output: RenderOutput = rasterizer.render(view.gaussians, view.camera)
    return {
        "size": size,
        "count": count,
        "visible": int(output.visible.sum()),
        "cpu_ms": least(rows),
    }


def print_stages(rows: list[dict[str, Any]]) -> None:
    names = [*dict.fromkeys(STAGES.values()), "forward", "backward"]
    print("| image, N | visible | " + " | ".join(names) + " |")
    for row in rows:
        cells = [f"{row['cpu_ms'][name]:.1f}" for name in names]
        print(f"| {row['size']}², {row['count']} | {row['visible']} | " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes only, no plain torch")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    sizes = [(256, 10_000)] if arguments.quick else [(s, n) for s in (256, 512) for n in COUNTS]
    stages = [time_stages(size, count, 7) for size, count in sizes]
    print_stages(stages)
    result: dict[str, object] = {
        "scene": load_points()[0],
        "note": "least of several runs; stages and ratios are process CPU time on one thread",
        "stages": stages,
    }
    if not arguments.quick:
        comparison = compare(512, 50_000, rounds=2, cpu_runs=4)
        for name, row in comparison["ms"].items():
            print(name, row)
        print("plain torch / ours:", comparison["ratios"], "bars:", BARS)
        result["against_torch"] = comparison
    if arguments.quick:
        print(json.dumps({"machine": machine_description(), **result}))
    else:
        print(write_result("rasterizer", result))


COUNTS = (10_000, 50_000, 200_000)

if __name__ == "__main__":
    main()
