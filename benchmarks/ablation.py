"""Train one scene with parts of the method switched off, and compare levels by bits and PSNR.

    python benchmarks/ablation.py --scene ../shared/data/fox --iterations 1500

Every variant is trained from the same images, seed and iterations. Bits are the context model's
estimate over all anchors plus nothing else (no networks, positions or container), because not
every variant can be written as a `.pcgs` file; PSNR is of held-out views rendered from rounded
attributes. The full method's file size is printed beside its estimate as a check.
"""

import argparse
import dataclasses
import tempfile
from pathlib import Path

from pcgs_engine.cli.environment import prepare_environment

prepare_environment()  # waiting threads must sleep; torch reads this when it starts

import torch  # noqa: E402
from machine import write_result  # noqa: E402

from pcgs_engine.codec import encode_chunks  # noqa: E402
from pcgs_engine.config import Preset, RateConfig, RunConfig, preset_config  # noqa: E402
from pcgs_engine.levels import quantize_level, split_levels  # noqa: E402
from pcgs_engine.model.trained_model import TrainedModel  # noqa: E402
from pcgs_engine.render.cpu_backend import CpuRasterizer  # noqa: E402
from pcgs_engine.sample import sample_path  # noqa: E402
from pcgs_engine.scene.image_store import ImageStore  # noqa: E402
from pcgs_engine.scene.load_scene import load_scene  # noqa: E402
from pcgs_engine.scene.scene import Scene  # noqa: E402
from pcgs_engine.training.evaluate import LevelRenderer, evaluate_level  # noqa: E402
from pcgs_engine.training.rate_loss import estimate_rate  # noqa: E402
from pcgs_engine.training.train import train  # noqa: E402

VARIANTS = {
    "full method": {},
    "without progressive masks": {"progressive_masks": False},
    "without progressive quantization": {"progressive_steps": False},
    "trinomial → Gaussian": {"trinomial": False},
}


def variant_config(options: argparse.Namespace, changes: dict[str, bool]) -> RunConfig:
    """Return the preset with the variant's switches."""
    config = preset_config(Preset(options.preset))
    rate = dataclasses.replace(config.training.rate, **changes)
    training = dataclasses.replace(
        config.training, rate=rate, iterations=options.iterations, max_size=options.size
    )
    return RunConfig(model=config.model, training=training)


def level_kilobytes(model: TrainedModel, level: int, rate: RateConfig) -> float:
    """Return the estimated kB of one level's increment over all anchors."""
    anchors, shape = model.anchors, model.config.model
    scalars = shape.feature_dim + 6 + 3 * shape.num_offsets
    bits = 0.0
    with torch.no_grad():
        for rows in torch.arange(len(anchors)).split(8192):
            grid = model.hash_grid(anchors.positions[rows])
            generator = torch.Generator().manual_seed(0)
            estimate = estimate_rate(
                anchors, model.context, rows, grid, level, shape, rate, generator
            )
            bits += float(estimate.per_scalar) * len(rows) * scalars
    return bits / 8000.0


def level_rows(
    model: TrainedModel, scene: Scene, rasterizer: CpuRasterizer
) -> list[dict[str, float]]:
    """Return cumulative kB, PSNR and Gaussians of every level."""
    rate, store = model.config.training.rate, ImageStore(scene.background)
    rows, total = [], 0.0
    for level in range(1, model.config.model.num_levels + 1):
        total += level_kilobytes(model, level, rate)
        anchors = quantize_level(model, level, rate)
        renderer = LevelRenderer(
            anchors, model.head, rasterizer=rasterizer, background=scene.background
        )
        quality = evaluate_level(renderer, scene.test_views, store)
        rows.append(
            {
                "level": level,
                "kilobytes": total,
                "psnr": quality.psnr,
                "ssim": quality.ssim,
                "anchors": len(anchors),
                "gaussians": anchors.num_gaussians,
            }
        )
    return rows


def run_variant(
    name: str, scene: Scene, options: argparse.Namespace, rasterizer: CpuRasterizer
) -> dict[str, object]:
    """Train and judge one variant."""
    config = variant_config(options, VARIANTS[name])
    with tempfile.TemporaryDirectory() as folder:
        model = train(
            scene,
            config,
            run=Path(folder),
            rasterizer=rasterizer,
            threads=options.threads,
            on_message=lambda message: None,
            cancelled=lambda: False,
        )
    result: dict[str, object] = {"variant": name, "levels": level_rows(model, scene, rasterizer)}
    if not VARIANTS[name]:
        result["file_kilobytes"] = len(encode_chunks(split_levels(model)).to_bytes({})) / 1000
    return result


def table(results: list[dict[str, object]]) -> str:
    """Return a Markdown table, one row per variant and level."""
    rows = [
        "| variant | level | estimated kB | PSNR dB | SSIM | anchors | Gaussians |",
        "|---|---|---|---|---|---|---|",
    ]
    for result in results:
        rows += [
            f"| {result['variant']} | {row['level']} | {row['kilobytes']:.1f} "
            f"| {row['psnr']:.2f} | {row['ssim']:.4f} | {row['anchors']:,} "
            f"| {row['gaussians']:,} |"
            for row in result["levels"]  # type: ignore[attr-defined]
        ]
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scene", type=Path, default=None, help="default: the embedded sample")
    parser.add_argument("--preset", default="preview")
    parser.add_argument("--iterations", type=int, default=1500)
    parser.add_argument("--size", type=int, default=240)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    scene = load_scene(options.scene or sample_path(), max_size=options.size)
    rasterizer = CpuRasterizer(threads=options.threads)
    results = []
    for name in VARIANTS:
        results.append(run_variant(name, scene, options, rasterizer))
        print(table(results[-1:]), flush=True)
    settings = {
        "scene": scene.path.name,
        "preset": options.preset,
        "iterations": options.iterations,
        "size": options.size,
    }
    path = write_result("ablation", {"settings": settings, "variants": results})
    print(f"\n{table(results)}\n\nfile of the full method: {results[0]['file_kilobytes']:.1f} kB")
    print(f"written: {path}")


if __name__ == "__main__":
    main()
