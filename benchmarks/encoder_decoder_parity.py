"""Share of pixels that differ by at most 1/255 between the encoder's and the decoder's picture.

    python benchmarks/encoder_decoder_parity.py RUN scene.pcgs

The encoder's side rounds the trained tensors (`levels.quantize_level`) and keeps the float32 head;
the decoder's side knows only the file. Held-out views of the run's image set, every level.
"""

import argparse
from pathlib import Path

from pcgs_engine.cli.environment import prepare_environment

prepare_environment()  # waiting threads must sleep; torch reads this when it starts

import numpy as np  # noqa: E402

from pcgs_engine.codec import decode_file  # noqa: E402
from pcgs_engine.levels import quantize_level  # noqa: E402
from pcgs_engine.model.attribute_head import AttributeHead  # noqa: E402
from pcgs_engine.render.cpu_backend import CpuRasterizer  # noqa: E402
from pcgs_engine.scene.load_scene import load_scene  # noqa: E402
from pcgs_engine.training.checkpoint import load_trained  # noqa: E402
from pcgs_engine.training.evaluate import LevelRenderer  # noqa: E402
from pcgs_engine.training.run_info import load_run_info  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run_folder", type=Path, metavar="RUN")
    parser.add_argument("file", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    info, model = load_run_info(options.run_folder), load_trained(options.run_folder)
    decoder, rasterizer = decode_file(options.file), CpuRasterizer(threads=options.threads)
    head = AttributeHead.from_weights(decoder.head, model.config.model)
    scene = load_scene(Path(info.scene), max_size=info.config.training.max_size)
    print("| level | mean share | least share of a view |\n|---|---|---|")
    for level in range(1, decoder.levels_ready + 1):
        sides = [
            LevelRenderer(anchors, side, rasterizer=rasterizer, background=info.background)
            for anchors, side in (
                (quantize_level(model, level, info.config.training.rate), model.head),
                (decoder.anchors(level), head),
            )
        ]
        shares = []
        for view in scene.test_views:
            before, after = (side.render(view.camera) for side in sides)
            shares.append(float(((before - after).abs().amax(dim=2) <= 1 / 255).float().mean()))
        print(f"| {level} | {np.mean(shares):.5f} | {min(shares):.5f} |", flush=True)


if __name__ == "__main__":
    main()
