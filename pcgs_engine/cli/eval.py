"""`pcgs eval`: a `.pcgs` file and its scene in, size and held-out quality of every level out."""

import argparse
import json

from ..errors import ConfigError
from ..protocol import LevelResult
from .console import Console, ProgressMode
from .parser import (
    Commands,
    add_command,
    add_device,
    add_file,
    add_progress,
    add_scene,
    add_split,
)
from .report import level_table

__all__ = ["add_arguments", "run"]


def add_arguments(commands: Commands) -> None:
    """Add the subcommand."""
    parser = add_command(
        commands,
        "eval",
        run,
        summary="measure PSNR and SSIM of every level on held-out views",
        examples=("scene.pcgs --scene photos", "scene.pcgs --scene photos --json"),
    )
    add_file(parser)
    add_scene(parser)
    add_split(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object for programs")
    add_device(parser)
    add_progress(parser)


def run(args: argparse.Namespace, console: Console) -> str:
    """Evaluate; returns no path.

    Raises:
        PcgsError: bad file, bad scene, no usable device.
    """
    if args.json and args.progress is ProgressMode.JSON:
        raise ConfigError("--json and --progress json both want standard output; drop one")
    # Delayed: torch must start after the environment is set, and not for --help.
    from .device import start_job
    from .file_summary import level_results, quality_status
    from .level_quality import LevelJudge, chosen_views
    from .pcgs_file import open_file
    from .scene_of_file import load_scene_of_file

    rasterizer = start_job("eval", args, console)
    opened = open_file(args.file, None, console)
    scene = load_scene_of_file(args, opened.decoder.metadata, console)
    judge = LevelJudge(opened=opened, scene=scene, rasterizer=rasterizer)
    views = chosen_views(scene, args.split, args.scene)
    qualities = judge.qualities(views, on_level=lambda q: console.message(quality_status(q)))
    results = level_results(args.file, qualities)
    for result in results:
        console.message(result)
    if args.json:
        console.result(json.dumps({"levels": [_plain(result) for result in results]}))
    else:
        console.result(level_table(results))
    return ""


def _plain(result: LevelResult) -> dict[str, object]:
    names = ("level", "bytes", "psnr", "ssim", "splats")
    return {name: getattr(result, name) for name in names}
