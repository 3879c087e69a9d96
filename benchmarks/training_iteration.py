"""Where the time of one training iteration goes: prints a table, writes a JSON file.

    python benchmarks/training_iteration.py [--scene PATH --size 320] [--warm 150] [--progress 0.6]
    python benchmarks/training_iteration.py --run RUN [--progress 0.9]

Trains the scene (default: the embedded sample) for a while, or starts from a run's checkpoint,
then times iterations at a fixed point of the schedule. Stages are timed by wrapping functions
from outside; a stage's figure leaves out the stages it calls. CPU time is that of all threads.
"""

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads would count as work
REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "benchmarks")]

import torch  # noqa: E402
from machine import machine_description, write_result  # noqa: E402

from pcgs_engine.config.presets import Preset, preset_config  # noqa: E402
from pcgs_engine.model import hash_grid  # noqa: E402
from pcgs_engine.render import cpu_backend  # noqa: E402
from pcgs_engine.sample import sample_path  # noqa: E402
from pcgs_engine.scene.image_store import ImageStore  # noqa: E402
from pcgs_engine.scene.load_scene import load_scene  # noqa: E402
from pcgs_engine.training import trainer as trainer_module  # noqa: E402
from pcgs_engine.training.checkpoint import load_checkpoint  # noqa: E402
from pcgs_engine.training.run_info import load_run_info  # noqa: E402
from pcgs_engine.training.schedule import Clock  # noqa: E402
from pcgs_engine.training.trainer import Trainer  # noqa: E402
from pcgs_engine.training.view_sampler import ViewSampler  # noqa: E402

RASTERIZER = ("projection + binning", "raster forward", "raster backward")


class Stopwatch:
    """Adds up wall and CPU seconds of nested stages, each without what it calls."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = defaultdict(float)
        self.cpu: dict[str, float] = defaultdict(float)
        self._open: list[list[float]] = []

    def wrap(self, owner: object, name: str, stage: str) -> None:
        """Replace `owner.name` by itself, timed; absent names (older trees) are skipped."""
        work = vars(owner).get(name) if isinstance(owner, type) else getattr(owner, name, None)
        if work is None:
            return
        static = isinstance(work, staticmethod)
        timed = self._timed(work.__func__ if static else work, stage)
        setattr(owner, name, staticmethod(timed) if static else timed)

    def _timed(self, work: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401
            inner = [0.0, 0.0]
            self._open.append(inner)
            wall, cpu = time.perf_counter(), time.process_time()
            try:
                return work(*arguments, **options)
            finally:
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                self._open.pop()
                self.wall[stage] += wall - inner[0]
                self.cpu[stage] += cpu - inner[1]
                if self._open:
                    self._open[-1][0] += wall
                    self._open[-1][1] += cpu

        return timed


def watch(trainer: Trainer, stopwatch: Stopwatch) -> None:
    """Put timers around the stages of `trainer.iterate`."""
    wrap, rasterizer, module = stopwatch.wrap, trainer.rasterizer, trainer_module
    wrap(rasterizer, "anchors_in_view", "prefilter + masks")
    for name in ("present_rows", "gaussian_mask"):
        wrap(module, name, "prefilter + masks")
    wrap(trainer.hash_grid, "forward_prepared", "hash + steps + noise")
    wrap(trainer.context, "steps", "hash + steps + noise")
    wrap(trainer, "_noisy", "hash + steps + noise")
    wrap(module, "take_rows", "hash + steps + noise")
    wrap(trainer.head, "forward", "head")
    wrap(module, "derive_gaussians", "derive")
    wrap(rasterizer, "plan_tiles", "projection + binning")
    wrap(rasterizer, "render", "raster forward")
    wrap(trainer, "_image_loss", "loss")
    wrap(trainer, "_rate", "rate term")
    wrap(trainer, "_collect", "growth")
    wrap(module, "adjust_anchors", "growth")
    wrap(trainer, "anchors_changed", "growth")
    wrap(trainer.optimizer, "step", "optimizer")
    wrap(trainer, "_draw", "rest of drawing")
    wrap(cpu_backend._Composite, "backward", "raster backward")
    wrap(hash_grid._Gather, "backward", "hash backward")
    for path, name, stage in (
        ("pcgs_engine.model.fused_derive", "_Derive", "derive backward"),
        ("pcgs_engine.model.anchor_rows", "_TakeRows", "rows backward"),
    ):
        if path in sys.modules:
            wrap(getattr(sys.modules[path], name), "backward", stage)
    wrap(torch.autograd, "backward", "MLPs and rest of backward")
    wrap(trainer, "iterate", "rest")


def build(arguments: argparse.Namespace) -> tuple[Trainer, ViewSampler, str]:
    """Return a trainer in the middle of a run, its views and the scene's name."""
    threads = arguments.threads
    clock = Clock(iterations=max(1, int(arguments.warm / arguments.progress)), time_limit=None)
    if arguments.run:
        info = load_run_info(arguments.run)
        path, size, config = Path(info.scene), info.config.training.max_size, info.config
    else:
        path, size = arguments.scene or sample_path(), arguments.size
        config = preset_config(Preset(arguments.preset))
    scene = load_scene(path, max_size=size)
    trainer = Trainer(scene, config, cpu_backend.CpuRasterizer(threads), threads)
    views = ViewSampler(scene, ImageStore(scene.background), trainer.device)
    if arguments.run:
        views.order = load_checkpoint(arguments.run, trainer, clock)
        return trainer, views, path.name
    for _ in range(arguments.warm):
        trainer.iterate(views.draw(trainer.order_generator), clock)
        clock.advance(0.0)
    return trainer, views, "sample" if arguments.scene is None else path.name


def measure(trainer: Trainer, views: ViewSampler, progress: float, runs: int) -> dict[str, Any]:
    """Time `runs` iterations at `progress`; milliseconds of one iteration by stage."""
    clock = Clock(iterations=1000, time_limit=None, progress=progress)
    drawn = [views.draw(trainer.order_generator) for _ in range(runs)]
    for view in drawn[:10]:
        trainer.iterate(view, clock)
    stopwatch = Stopwatch()
    watch(trainer, stopwatch)
    gaussians = [trainer.iterate(view, clock).gaussians for view in drawn]
    stages = {
        name: {
            "cpu": round(1e3 * stopwatch.cpu[name] / runs, 2),
            "wall": round(1e3 * stopwatch.wall[name] / runs, 2),
        }
        for name in sorted(stopwatch.cpu, key=lambda n: -stopwatch.cpu[n])
    }
    total = {kind: round(sum(row[kind] for row in stages.values()), 2) for kind in ("cpu", "wall")}
    raster = {
        kind: round(sum(stages[name][kind] for name in RASTERIZER), 2) for kind in ("cpu", "wall")
    }
    return {
        "anchors": len(trainer.anchors),
        "gaussians": sum(gaussians) // runs,
        "ms": stages,
        "total": total,
        "rasterizer": raster,
    }


def print_table(result: dict[str, Any]) -> None:
    rows = [*result["ms"].items(), ("total", result["total"])]
    print(
        f"{result['scene']}: {result['anchors']} anchors, {result['gaussians']} Gaussians in view"
    )
    print("| stage | CPU ms | wall ms |\n|---|---|---|")
    for name, row in rows:
        print(f"| {name} | {row['cpu']:.1f} | {row['wall']:.1f} |")
    print("rasterizer in all:", result["rasterizer"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scene", type=Path, help="image set; default the embedded sample")
    parser.add_argument("--size", type=int, default=320, help="longest image side in pixels")
    parser.add_argument("--run", type=Path, help="folder of a run to start from instead")
    parser.add_argument("--preset", default=Preset.PREVIEW.value)
    parser.add_argument("--warm", type=int, default=150, help="training iterations before")
    parser.add_argument("--progress", type=float, default=0.6, help="point of the schedule, 0..1")
    parser.add_argument("--iterations", type=int, default=40, help="iterations to time")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--no-write", action="store_true", help="print only")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    trainer, views, name = build(arguments)
    result = {"scene": name, "threads": arguments.threads, "progress": arguments.progress}
    result |= measure(trainer, views, arguments.progress, arguments.iterations)
    print_table(result)
    if arguments.no_write:
        print(machine_description())
    else:
        print(write_result("training_iteration", result))


if __name__ == "__main__":
    main()
