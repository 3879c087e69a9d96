"""`pcgs train`: a posed image set in, a run folder with a fitted model out; resumable."""

import argparse
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Head, Preset, RunConfig
from ..errors import ConfigError
from ..protocol import SceneLoaded, Warned
from .cancel import CancelToken
from .console import Console
from .parser import (
    Commands,
    add_background,
    add_command,
    add_device,
    add_progress,
    one_of,
    positive,
    positive_number,
)

if TYPE_CHECKING:
    from ..render.rasterizer import Rasterizer
    from ..scene import Scene

__all__ = ["TrainJob", "add_arguments", "announce_scene", "run", "train_scene"]

CHECKPOINT = "checkpoint.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainJob:
    """What to train, from what, into which folder."""

    scene: Path
    run: Path
    config: RunConfig
    background: tuple[float, float, float]
    threads: int
    resume: bool = False
    time_limit_seconds: float | None = None
    preview_seconds: float = math.inf


def add_arguments(commands: Commands) -> None:
    """Add the subcommand."""
    parser = add_command(
        commands,
        "train",
        run,
        summary="fit a model to a posed image set",
        examples=(
            "photos --out run                       a quick look, minutes on two cores",
            "photos --out run --preset standard     everyday quality, better with a GPU",
            "photos --out run --resume              go on after Ctrl-C or a crash",
            "photos --out run --preset high --config my.toml --time-limit 60",
        ),
    )
    parser.add_argument(
        "scene",
        type=Path,
        metavar="SCENE",
        help="folder with transforms.json, or COLMAP's images/ and sparse/0/",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="RUN", help="run folder, created if absent"
    )
    parser.add_argument(
        "--preset",
        type=one_of(Preset),
        metavar="{preview,standard,high}",
        help="sizes and length of the training (default: preview)",
    )
    _add_overrides(parser)
    add_device(parser)
    add_background(parser, "black")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="continue from the run's checkpoint, if there is one, with the run's settings",
    )
    parser.add_argument(
        "--time-limit",
        type=positive_number,
        metavar="MIN",
        help="minutes of training; the schedule is compressed to fit (default: no limit)",
    )
    parser.add_argument(
        "--preview-seconds",
        type=positive_number,
        default=math.inf,
        metavar="S",
        help="write previews/ at the start and every S seconds (default: ten times a run)",
    )
    add_progress(parser)


def _add_overrides(parser: argparse.ArgumentParser) -> None:
    preset = "(default: the preset's)"
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="TOML or JSON with tables model and training, laid over the preset (default: none)",
    )
    parser.add_argument("--iterations", type=positive, metavar="N", help=f"training steps {preset}")
    parser.add_argument("--levels", type=positive, metavar="S", help=f"levels of the file {preset}")
    parser.add_argument(
        "--head",
        type=one_of(Head),
        metavar="{neural,explicit}",
        help="explicit: decoded splats are exact in every viewer; neural: as in the paper, "
        "approximated on export (default: explicit)",
    )
    parser.add_argument(
        "--max-size",
        type=positive,
        metavar="PX",
        help=f"longer image side in pixels, larger images are shrunk {preset}",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="random seed (default: 0)")


def run(args: argparse.Namespace, console: Console) -> str:
    """Train; returns the run folder.

    Raises:
        PcgsError: see `training.train.train`.
    """
    # Delayed: torch must start after the environment is set, and not for --help.
    from .device import start_job
    from .run_config import base_config, overridden

    if not args.resume and (args.out / CHECKPOINT).exists():
        raise ConfigError(
            f"{args.out} holds a run already; continue with --resume or choose another --out"
        )
    base = base_config(args.preset, args.out if args.resume else None)
    job = TrainJob(
        scene=args.scene,
        run=args.out,
        config=overridden(base, args),
        background=args.background or base.background,
        threads=args.threads,
        resume=args.resume,
        time_limit_seconds=None if args.time_limit is None else 60.0 * args.time_limit,
        preview_seconds=args.preview_seconds,
    )
    token = CancelToken()
    with token.listening():
        train_scene(job, start_job("train", args, console), console, token)
    return str(args.out)


def train_scene(
    job: TrainJob, rasterizer: "Rasterizer", console: Console, token: CancelToken
) -> None:
    """Load the scene and train.

    Raises:
        PcgsError: see `load_scene` and `training.train.train`.
    """
    # Delayed: see run.
    from ..scene.load_scene import load_scene
    from ..training.train import train

    training = job.config.training
    scene = load_scene(
        job.scene, max_size=training.max_size, background=job.background, seed=training.seed
    )
    announce_scene(scene, console)
    train(
        scene,
        job.config,
        run=job.run,
        rasterizer=rasterizer,
        threads=job.threads,
        on_message=console.message,
        cancelled=lambda: token.requested or console.closed,
        resume=job.resume,
        time_limit=job.time_limit_seconds,
        preview_seconds=job.preview_seconds,
    )


def announce_scene(scene: "Scene", console: Console) -> None:
    """Tell what was found and what the loader had to do."""
    camera = scene.train_views[0].camera
    console.message(
        SceneLoaded(
            scene_kind=scene.kind,
            train_views=len(scene.train_views),
            test_views=len(scene.test_views),
            points=len(scene.points),
            width=camera.width,
            height=camera.height,
        )
    )
    for text in scene.warnings:
        console.message(Warned(text=text))
