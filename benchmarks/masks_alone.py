"""Progressive masks alone on plain Scaffold-GS: no quantization, no entropy model.

    python benchmarks/masks_alone.py --scene ../shared/data/fox --iterations 1000 --size 240

The paper's claim that the masks work without the rest: one training whose levels keep more and
more Gaussians, against one training per level. In place of the rate stands HAC's mask loss, the
mean soft mask of the level drawn times its weight. Bytes are those of plain float32 attributes of
what a level keeps; PSNR is of held-out views.
"""

import argparse
import dataclasses
from pathlib import Path

from pcgs_engine.cli.environment import prepare_environment

prepare_environment()  # waiting threads must sleep; torch reads this when it starts

import numpy as np  # noqa: E402
import torch  # noqa: E402
from machine import write_result  # noqa: E402
from torch import Tensor  # noqa: E402

from pcgs_engine.config import Preset, RunConfig, preset_config, with_levels  # noqa: E402
from pcgs_engine.model.masks import gaussian_mask, soft_gaussian_mask  # noqa: E402
from pcgs_engine.render.cpu_backend import CpuRasterizer  # noqa: E402
from pcgs_engine.sample import sample_path  # noqa: E402
from pcgs_engine.scene.image_store import ImageStore  # noqa: E402
from pcgs_engine.scene.load_scene import load_scene  # noqa: E402
from pcgs_engine.scene.scene import Scene  # noqa: E402
from pcgs_engine.splats import AnchorSet  # noqa: E402
from pcgs_engine.training.evaluate import LevelRenderer, evaluate_level  # noqa: E402
from pcgs_engine.training.schedule import Clock  # noqa: E402
from pcgs_engine.training.trainer import Trainer  # noqa: E402
from pcgs_engine.training.view_sampler import TrainingView, ViewSampler  # noqa: E402

MASK_WEIGHTS = (0.05, 0.02, 0.005)
"""Weight of the mean soft mask at each level; HAC trains one level with 0.0005 for 30,000
iterations, short runs need more to prune as much."""


class MaskTrainer(Trainer):
    """The trainer with a mask loss in place of the rate."""

    mask_weights: tuple[float, ...] = ()
    _level = 1

    def _draw(self, view: TrainingView, level: int, *arguments: object, **options: object):  # noqa: ANN202
        self._level = level
        return super()._draw(view, level, *arguments, **options)  # type: ignore[arg-type]

    def _image_loss(self, drawn: object, view: TrainingView) -> Tensor:
        mask = soft_gaussian_mask(self.anchors.mask_logits, self._level)
        weight = self.mask_weights[self._level - 1]
        return super()._image_loss(drawn, view) + weight * mask.mean()  # type: ignore[arg-type]


def plain_config(iterations: int, levels: int) -> RunConfig:
    """Return the preview preset without noise and rate term; masks grow as published."""
    config = with_levels(preset_config(Preset.PREVIEW), levels)
    rate = dataclasses.replace(
        config.training.rate, noise_start=1.0, start=1.0, rounding_start=1.0,
        initial_mask_increment=1.0, share_decay=1.0,
    )  # fmt: skip
    training = dataclasses.replace(config.training, rate=rate, iterations=iterations)
    return RunConfig(model=config.model, training=training)


def train_masks(
    scene: Scene, weights: tuple[float, ...], options: argparse.Namespace
) -> list[dict[str, float]]:
    """Train with one mask weight per level; returns each level's size and quality."""
    rasterizer = CpuRasterizer(threads=options.threads)
    config = plain_config(options.iterations, len(weights))
    trainer = MaskTrainer(scene, config, rasterizer, options.threads)
    trainer.mask_weights = weights
    store = ImageStore(scene.background)
    views = ViewSampler(scene, store, trainer.device)
    clock = Clock(iterations=options.iterations, time_limit=None)
    while not clock.finished:
        trainer.iterate(views.draw(trainer.order_generator), clock)
        clock.advance(0.0)
    rows = []
    for level in range(1, len(weights) + 1):
        anchors = level_anchors(trainer, level)
        renderer = LevelRenderer(
            anchors, trainer.head, rasterizer=rasterizer, background=scene.background
        )
        quality = evaluate_level(renderer, scene.test_views, store)
        rows.append(
            {
                "level": level, "weight": weights[level - 1], "anchors": len(anchors),
                "gaussians": anchors.num_gaussians, "bytes": plain_bytes(anchors),
                "psnr": quality.psnr, "ssim": quality.ssim,
            }
        )  # fmt: skip
    return rows


@torch.no_grad()
def level_anchors(trainer: Trainer, level: int) -> AnchorSet:
    """Return what a level keeps, not quantized."""
    anchors = trainer.anchors
    mask = gaussian_mask(anchors.mask_logits, level)
    rows = mask.any(dim=1)
    return AnchorSet(
        level=level,
        positions=anchors.positions[rows].numpy(),
        features=anchors.feature[rows].numpy(),
        scaling=anchors.scaling[rows].numpy(),
        offsets=anchors.offsets[rows].numpy(),
        gaussian_mask=mask[rows].numpy(),
    )


def plain_bytes(anchors: AnchorSet) -> int:
    """Return bytes of float32 attributes, offsets of kept Gaussians only, a bit for every mask."""
    numbers = anchors.positions.size + anchors.features.size + anchors.scaling.size
    numbers += 3 * anchors.num_gaussians
    return int(numbers * np.float32().nbytes + anchors.gaussian_mask.size // 8)


def table(results: list[dict[str, object]]) -> str:
    """Return a Markdown table, one row per training and level."""
    rows = [
        "| training | level | mask weight | MB, float32 | PSNR dB | SSIM | anchors | Gaussians |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        rows += [
            f"| {result['training']} | {r['level']} | {r['weight']} | {r['bytes'] / 1e6:.2f} "
            f"| {r['psnr']:.2f} | {r['ssim']:.4f} | {r['anchors']:,} | {r['gaussians']:,} |"
            for r in result["levels"]  # type: ignore[attr-defined]
        ]
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scene", type=Path, default=None, help="default: the embedded sample")
    parser.add_argument("--iterations", type=int, default=1500)
    parser.add_argument("--size", type=int, default=240)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    scene = load_scene(options.scene or sample_path(), max_size=options.size)
    results: list[dict[str, object]] = []
    trainings = {"progressive": MASK_WEIGHTS} | {f"single {w}": (w,) for w in MASK_WEIGHTS}
    for name, weights in trainings.items():
        results.append({"training": name, "levels": train_masks(scene, weights, options)})
        print(table(results[-1:]), flush=True)
    settings = {"scene": scene.path.name, "iterations": options.iterations, "size": options.size}
    path = write_result("masks_alone", {"settings": settings, "trainings": results})
    print(f"\n{table(results)}\n\nwritten: {path}")


if __name__ == "__main__":
    main()
