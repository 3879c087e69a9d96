"""PSNR of what export gives: a file's splats, drawn as plain 3DGS splats, on held-out views.

    python benchmarks/exported_splats.py scene.pcgs --scene ../shared/data/fox --size 320

Explicit heads lose nothing; neural heads pay for the fit of `to_splats`. Compare with `pcgs eval`.
"""

import argparse
from pathlib import Path

from pcgs_engine.cli.environment import prepare_environment

prepare_environment()  # waiting threads must sleep; torch reads this when it starts

import numpy as np  # noqa: E402
import torch  # noqa: E402

from pcgs_engine.codec import decode_file  # noqa: E402
from pcgs_engine.model.gaussians import Gaussians  # noqa: E402
from pcgs_engine.model.spherical_harmonics import sh_colors  # noqa: E402
from pcgs_engine.render.cpu_backend import CpuRasterizer  # noqa: E402
from pcgs_engine.render.metrics import psnr  # noqa: E402
from pcgs_engine.scene.camera import Camera  # noqa: E402
from pcgs_engine.scene.image_store import ImageStore  # noqa: E402
from pcgs_engine.scene.load_scene import load_scene  # noqa: E402
from pcgs_engine.splats import SplatCloud, to_splats  # noqa: E402


def draw(cloud: SplatCloud, camera: Camera, rasterizer: CpuRasterizer) -> torch.Tensor:
    """Return the picture `[H, W, 3]` of plain splats."""
    means = torch.from_numpy(cloud.means)
    centre = torch.from_numpy(camera.centre.astype(np.float32))
    gaussians = Gaussians(
        means=means,
        quats=torch.from_numpy(cloud.quats),
        scales=torch.from_numpy(cloud.scales),
        opacities=torch.from_numpy(cloud.opacities),
        colors=sh_colors(torch.from_numpy(cloud.sh), means - centre),
    )
    return rasterizer.render(gaussians, camera).image.clamp(0, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--scene", type=Path, required=True)
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    scene = load_scene(options.scene, max_size=options.size)
    store, rasterizer = ImageStore(scene.background), CpuRasterizer(threads=options.threads)
    print("| file | head | level | splats | PSNR dB |\n|---|---|---|---|---|")
    for path in options.files:
        decoder = decode_file(path)
        for level in range(1, decoder.levels_ready + 1):
            cloud = to_splats(
                decoder.anchors(level), decoder.head, decoder.config, decoder.camera_centres
            )
            values = [
                psnr(
                    draw(cloud, view.camera, rasterizer),
                    torch.from_numpy(store.load(view).rgb).float() / 255.0,
                )
                for view in scene.test_views
            ]
            mean, head = float(np.mean(values)), decoder.config.head.value
            print(f"| {path.name} | {head} | {level} | {len(cloud):,} | {mean:.2f} |", flush=True)


if __name__ == "__main__":
    main()
