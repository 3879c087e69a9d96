"""PSNR of what export gives: a file's splats, drawn as plain 3DGS splats, on held-out views.

    python benchmarks/exported_splats.py scene.pcgs --scene ../shared/data/fox

For every level: the head evaluated for each view, as `pcgs eval` does, and the splats that
`to_splats` makes of it. Explicit heads lose nothing; neural heads pay for the fit.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

from pcgs_engine.cli.environment import prepare_environment

prepare_environment()  # waiting threads must sleep; torch reads this when it starts

from cloud_renderer import CloudRenderer  # noqa: E402
from file_points import scene_of  # noqa: E402

from pcgs_engine.codec import decode_file, inspect_file  # noqa: E402
from pcgs_engine.model.attribute_head import AttributeHead  # noqa: E402
from pcgs_engine.render.cpu_backend import CpuRasterizer  # noqa: E402
from pcgs_engine.render.rasterizer import Rasterizer  # noqa: E402
from pcgs_engine.scene.image_store import ImageStore  # noqa: E402
from pcgs_engine.splats import to_splats  # noqa: E402
from pcgs_engine.training.evaluate import LevelRenderer, evaluate_level  # noqa: E402


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedLevel:
    """One level, as its head draws it and as exported."""

    level: int
    bytes: int
    """End of the level in the file."""
    splats: int
    head_psnr: float
    psnr: float
    ssim: float


def exported_levels(file: Path, scene_path: Path, rasterizer: Rasterizer) -> list[ExportedLevel]:
    """Judge every level of a file."""
    info, decoder = inspect_file(file), decode_file(file)
    scene = scene_of(info, scene_path)
    store, found = ImageStore(scene.background), []
    head = AttributeHead.from_weights(decoder.head, decoder.config)
    for level in range(1, decoder.levels_ready + 1):
        anchors = decoder.anchors(level)
        cloud = to_splats(anchors, decoder.head, decoder.config, decoder.camera_centres)
        plain = CloudRenderer(cloud, rasterizer=rasterizer, background=scene.background)
        own = LevelRenderer(anchors, head, rasterizer=rasterizer, background=scene.background)
        quality = evaluate_level(plain, scene.test_views, store)
        found.append(
            ExportedLevel(
                level=level,
                bytes=next(c.end for c in info.cut_points if c.level == level and not c.partial),
                splats=len(cloud),
                head_psnr=evaluate_level(own, scene.test_views, store).psnr,
                psnr=quality.psnr,
                ssim=quality.ssim,
            )
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--scene", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    rasterizer = CpuRasterizer(threads=options.threads)
    print("| file | level | splats | PSNR of the head, dB | of the splats | loss |")
    print("|---|---|---|---|---|---|")
    for path in options.files:
        for row in exported_levels(path, options.scene, rasterizer):
            print(f"| {path.name} | {row.level} | {row.splats:,} | {row.head_psnr:.2f} "
                  f"| {row.psnr:.2f} | {row.head_psnr - row.psnr:.3f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
