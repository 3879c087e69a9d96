"""`pcgs demo`: the whole way on the embedded sample, from photographs to pictures of every level.

The file is judged by fresh processes that know nothing but its bytes.
"""

import argparse
import dataclasses
import json
import subprocess
import sys
from pathlib import Path

from ..atomic_file import make_folder, write_atomically
from ..config import Preset, preset_config
from ..entropy.backend import best_backend
from ..errors import CancelledError, PcgsError
from ..protocol import LevelResult, Saved, Status
from ..sample import sample_path
from .cancel import CancelToken
from .console import Console
from .file_summary import level_results
from .parser import Commands, add_command, add_device, add_progress, positive, positive_number
from .report import RatePoint, level_table, rate_plot

__all__ = ["add_arguments", "run"]

DEMO_ITERATIONS = 4000
DEMO_MINUTES = 6.0
"""Limit of the training alone; encoding and judging take about one more."""
SHOWN_VIEWS = 3


class DemoStepError(PcgsError):
    """A process the demo started failed; its own message stands above."""

    exit_code = 1


def add_arguments(commands: Commands) -> None:
    """Add the subcommand."""
    parser = add_command(
        commands,
        "demo",
        run,
        summary="train, encode, decode and show the embedded sample in under ten minutes",
        examples=("--out demo_out", "--out demo_out --iterations 500"),
    )
    parser.add_argument(
        "--out", type=Path, default=Path("demo_out"), metavar="DIR", help="folder of all results"
    )
    parser.add_argument(
        "--iterations", type=positive, default=DEMO_ITERATIONS, metavar="N", help="training steps"
    )
    parser.add_argument(
        "--time-limit",
        type=positive_number,
        default=DEMO_MINUTES,
        metavar="MIN",
        help="minutes of training; the schedule is compressed to fit",
    )
    add_device(parser)
    add_progress(parser)


def run(args: argparse.Namespace, console: Console) -> str:
    """Run the demo; returns the folder of the results.

    Raises:
        PcgsError: as the commands it is made of.
    """
    # Delayed: torch must start after the environment is set, and not for --help.
    from .device import start_job
    from .encode import EncodeJob, encode_run
    from .train import TrainJob, train_scene

    make_folder(args.out)
    rasterizer = start_job("demo", args, console)
    config = preset_config(Preset.PREVIEW)
    training = dataclasses.replace(config.training, iterations=args.iterations)
    job = TrainJob(
        scene=sample_path(),
        run=args.out / "run",
        config=dataclasses.replace(config, training=training),
        background=(0.0, 0.0, 0.0),
        threads=args.threads,
        time_limit_seconds=60.0 * args.time_limit,
    )
    token = CancelToken()
    with token.listening():
        train_scene(job, rasterizer, console, token)
    file = args.out / "scene.pcgs"
    encode_run(EncodeJob(run=job.run, out=file, backend=best_backend()), rasterizer, console)
    _show(file, args, console)
    return str(args.out)


def _show(file: Path, args: argparse.Namespace, console: Console) -> None:
    """Judge, export and picture every level in processes that only have the file."""
    from .demo_pictures import write_strip  # delayed: Pillow belongs to the train extra

    scene, device = str(sample_path()), ["--device", args.device, "--threads", str(args.threads)]
    console.message(Status(text="decoding and judging in a separate process"))
    judged = _pcgs("eval", str(file), "--scene", scene, "--json", *device)
    write_atomically(args.out / "levels.json", judged.encode())
    results = _results(file, judged)
    for result in results:
        console.message(Status(text=f"exporting level {result.level}"))
        level = ["--level", str(result.level)]
        _pcgs("export", str(file), *level, "--out", str(args.out / f"level_{result.level}.ply"))
        folder = args.out / "renders" / f"level_{result.level}"
        _pcgs("render", str(file), "--scene", scene, *level, *device, "--out", str(folder))
    write_strip(args.out / "strip.png", args.out / "renders", results, count=SHOWN_VIEWS)
    points = [
        RatePoint(bytes=r.bytes, psnr=r.psnr, label=f"level {r.level}")
        for r in results
        if r.psnr is not None
    ]
    if points:
        rate_plot(args.out / "rate.png", points, title="PSNR of held-out views over bytes")
    table = level_table(results)
    write_atomically(args.out / "levels.md", (table + "\n").encode())
    for name in ("strip.png", "rate.png", "levels.md", "scene.pcgs"):
        console.message(Saved(what="result", path=str(args.out / name)))
    console.result(table)


def _results(file: Path, judged: str) -> list[LevelResult]:
    """Combine what the file says of its levels with the quality another process measured."""
    quality = {entry["level"]: entry for entry in json.loads(judged)["levels"]}
    return [
        dataclasses.replace(
            plain, psnr=quality[plain.level]["psnr"], ssim=quality[plain.level]["ssim"]
        )
        for plain in level_results(file)
    ]


def _pcgs(*arguments: str) -> str:
    """Run one command in a fresh process and return what it prints.

    Raises:
        DemoStepError: it failed.
        CancelledError: it was interrupted.
    """
    command = [sys.executable, "-m", "pcgs_engine", *arguments, "--progress", "none"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == CancelledError.exit_code:
        raise CancelledError("cancelled")
    if done.returncode != 0:
        raise DemoStepError(f"pcgs {arguments[0]} failed with exit status {done.returncode}")
    return done.stdout
