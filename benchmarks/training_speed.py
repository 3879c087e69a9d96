"""What each speed lever of training does to its time, and to the quality and size of the result.

    python benchmarks/training_speed.py --scene ../shared/data/fox --iterations 3000 --size 320

One training as the preset has it, then one per lever: taken away where the preset has it, added
where it has not. Same images, seed and iterations, one after the other on the same machine. PSNR
is of held-out views at the last level, rounded; bytes are those of the encoded file. Rows already
in the result file are not trained again. CPU seconds, of all threads, tell what was saved where
other work shares the machine.
"""

import argparse
import dataclasses
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pcgs_engine.cli.environment import prepare_environment

prepare_environment()  # waiting threads must sleep; torch reads this when it starts

from machine import RESULTS, write_result  # noqa: E402

from pcgs_engine.codec import encode_chunks  # noqa: E402
from pcgs_engine.config import Preset, RunConfig, TrainingConfig, preset_config  # noqa: E402
from pcgs_engine.kernels.pool import KernelPool  # noqa: E402
from pcgs_engine.levels import quantize_level, split_levels  # noqa: E402
from pcgs_engine.render.cpu_backend import CpuRasterizer  # noqa: E402
from pcgs_engine.sample import sample_path  # noqa: E402
from pcgs_engine.scene.image_store import ImageStore  # noqa: E402
from pcgs_engine.scene.load_scene import load_scene  # noqa: E402
from pcgs_engine.scene.scene import Scene  # noqa: E402
from pcgs_engine.training import trainer as trainer_module  # noqa: E402
from pcgs_engine.training.evaluate import LevelRenderer, evaluate_level  # noqa: E402
from pcgs_engine.training.image_loss import ImageLoss  # noqa: E402
from pcgs_engine.training.train import train  # noqa: E402

Change = Callable[[TrainingConfig], TrainingConfig]


def half_size_first(config: TrainingConfig) -> TrainingConfig:
    """Images of half size in the first fifth."""
    return dataclasses.replace(config, first_scale=0.5, full_size_from=0.2)


def rate_every_second(config: TrainingConfig) -> TrainingConfig:
    """The rate term in every second iteration, with twice its weight."""
    return dataclasses.replace(config, rate=dataclasses.replace(config.rate, interval=2))


def no_budget(config: TrainingConfig) -> TrainingConfig:
    """As many anchors as gradients ask for."""
    growth = dataclasses.replace(config.growth, max_anchors=1_000_000)
    return dataclasses.replace(config, growth=growth)


PLAIN_LOSS = "without fused SSIM"
TRAININGS: dict[str, Change] = {
    "preset": lambda config: config,
    PLAIN_LOSS: lambda config: config,
    "without anchor budget": no_budget,
    "half size in the first fifth": half_size_first,
    "rate term every second iteration": rate_every_second,
    "both": lambda config: rate_every_second(half_size_first(config)),
}
"""By name, what is changed; the loss is exchanged in `run_training`."""


def plain_image_loss(weight: float, pool: KernelPool | None = None) -> ImageLoss:
    """Return the image loss in plain torch: convolutions and autograd."""
    return ImageLoss(weight)


def run_training(name: str, scene: Scene, options: argparse.Namespace) -> dict[str, object]:
    """Train with one change; returns seconds, quality and size."""
    preset = preset_config(Preset.PREVIEW)
    training = TRAININGS[name](dataclasses.replace(preset.training, iterations=options.iterations))
    rasterizer = CpuRasterizer(threads=options.threads)
    trainer_module.ImageLoss = plain_image_loss if name == PLAIN_LOSS else ImageLoss  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as folder:
        start, work = time.monotonic(), time.process_time()
        model = train(
            scene, RunConfig(model=preset.model, training=training), run=Path(folder),
            rasterizer=rasterizer, threads=options.threads, on_message=lambda message: None,
            cancelled=lambda: False,
        )  # fmt: skip
        seconds, work = time.monotonic() - start, time.process_time() - work
    anchors = quantize_level(model, preset.model.num_levels, training.rate)
    renderer = LevelRenderer(
        anchors, model.head, rasterizer=rasterizer, background=scene.background
    )
    quality = evaluate_level(renderer, scene.test_views, ImageStore(scene.background))
    return {
        "seconds": seconds,
        "cpu_seconds": work,
        "psnr": quality.psnr,
        "ssim": quality.ssim,
        "bytes": len(encode_chunks(split_levels(model)).to_bytes({})),
        "gaussians": anchors.num_gaussians,
    }


def rows_of(
    scene: Scene, options: argparse.Namespace, settings: dict[str, object]
) -> list[dict[str, object]]:
    """Return one row per training, done before or now."""
    path = RESULTS / "training_speed.json"
    before = json.loads(path.read_text()) if path.is_file() else {}
    rows = before.get("rows", []) if before.get("settings") == settings else []
    known = {row["training"] for row in rows}
    for name in TRAININGS:
        if name not in known:
            rows.append({"training": name, **run_training(name, scene, options)})
            write_result("training_speed", {"settings": settings, "rows": rows})
            print(table(rows[-1:]), flush=True)
    return rows


def table(rows: list[dict[str, object]]) -> str:
    """Return a Markdown table."""
    lines = [
        "| training | s | CPU s | PSNR dB | SSIM | bytes | Gaussians |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['training']} | {r['seconds']:.0f} | {r['cpu_seconds']:.0f} | {r['psnr']:.2f} "
        f"| {r['ssim']:.4f} | {r['bytes']:,} | {r['gaussians']:,} |"
        for r in rows
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scene", type=Path, default=None, help="default: the embedded sample")
    parser.add_argument("--iterations", type=int, default=3000)
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    scene = load_scene(options.scene or sample_path(), max_size=options.size)
    settings: dict[str, object] = {
        "scene": scene.path.name, "iterations": options.iterations, "size": options.size,
        "threads": options.threads,
    }  # fmt: skip
    print(table(rows_of(scene, options, settings)))


if __name__ == "__main__":
    main()
