"""`pcgs render`: a `.pcgs` file and the cameras of a scene in, one PNG per view out."""

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..atomic_file import make_folder, write_atomically
from ..protocol import Status
from .console import Console
from .parser import (
    Commands,
    add_command,
    add_device,
    add_file,
    add_level,
    add_progress,
    add_scene,
    add_split,
)

__all__ = ["add_arguments", "png_name", "run"]


def add_arguments(commands: Commands) -> None:
    """Add the subcommand."""
    parser = add_command(
        commands,
        "render",
        run,
        summary="draw a level from the cameras of a scene",
        examples=(
            "scene.pcgs --scene photos --out pictures",
            "scene.pcgs --scene photos --level 1 --out small",
        ),
    )
    add_file(parser)
    add_scene(parser)
    add_level(parser)
    add_split(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of the PNG files"
    )
    add_device(parser)
    add_progress(parser)


def run(args: argparse.Namespace, console: Console) -> str:
    """Render; returns the folder.

    Raises:
        PcgsError: bad file, bad scene, no usable device, nowhere to write.
    """
    # Delayed: torch must start after the environment is set, and not for --help.
    from .device import start_job
    from .level_quality import LevelJudge, chosen_views
    from .pcgs_file import open_file
    from .scene_of_file import load_scene_of_file

    opened = open_file(args.file, args.level, console)
    rasterizer = start_job("render", args, console)
    scene = load_scene_of_file(args, opened.decoder.metadata, console)
    judge = LevelJudge(opened=opened, scene=scene, rasterizer=rasterizer)
    views = chosen_views(scene, args.split, args.scene)
    make_folder(args.out)
    renderer = judge.renderer(opened.level)
    for index, view in enumerate(views):
        pixels = (renderer.render(view.camera) * 255.0).round().byte().cpu().numpy()
        path = args.out / png_name(view.name)
        _write_png(path, pixels)
        console.message(Status(text=f"{index + 1}/{len(views)}: {path}"))
    return str(args.out)


def _write_png(path: Path, pixels: npt.NDArray[np.uint8]) -> None:
    from PIL import Image  # delayed: belongs to the train extra

    image = Image.fromarray(pixels)
    write_atomically(path, lambda file: image.save(file, "PNG"))


def png_name(view_name: str) -> str:
    """Return a flat PNG file name for a view: `images/a.jpg` -> `images_a.png`."""
    flat = view_name.replace("../", "").replace("/", "_").replace(":", "_")
    return str(Path(flat).with_suffix(".png"))
