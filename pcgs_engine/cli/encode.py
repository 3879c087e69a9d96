"""`pcgs encode`: a run folder in, one `.pcgs` file with all its levels out.

The file is decoded again in this process, so the quality it states is that of the file.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..atomic_file import write_atomically
from ..config import config_to_dict
from ..entropy.backend import EntropyBackend, best_backend
from ..errors import SceneError
from ..protocol import LevelResult, Saved, Warned
from .console import Console
from .level_encoder import LevelEncoder
from .parser import Commands, add_background, add_command, add_device, add_progress, one_of, part
from .report import level_table

if TYPE_CHECKING:
    from ..codec import EncodedScene
    from ..render.rasterizer import Rasterizer
    from ..scene import Scene
    from ..training.evaluate import LevelQuality
    from ..training.run_info import RunInfo

__all__ = ["EncodeJob", "add_arguments", "encode_run", "run"]

FIRST_LEVEL_PART = 0.5
"""Level 1 is 0.0 to 1.6 dB behind the last one at this (README)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeJob:
    """What to encode and where to."""

    run: Path
    out: Path
    backend: EntropyBackend
    scene: Path | None = None
    """Where the image set lies now; None: where it lay in training."""
    background: tuple[float, float, float] | None = None
    first_level: float = FIRST_LEVEL_PART
    """Largest part of the file that level 1 may take; 1.0: all of its anchors stay in it."""
    quality: bool = True
    """Whether to judge every level on the held-out views."""


def add_arguments(commands: Commands) -> None:
    """Add the subcommand."""
    parser = add_command(
        commands,
        "encode",
        run,
        summary="write a trained run as one progressive .pcgs file",
        examples=("run --out scene.pcgs", "run --out scene.pcgs --no-quality"),
    )
    parser.add_argument(
        "run_folder", type=Path, metavar="RUN", help="folder given to pcgs train --out"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE.pcgs", help="the file to write"
    )
    parser.add_argument(
        "--entropy-backend",
        type=one_of(EntropyBackend),
        metavar="{native,numpy,torchac}",
        help="code that runs the range coder; all write the same bytes (default: native where its "
        "library is built, else numpy)",
    )
    parser.add_argument(
        "--scene",
        type=Path,
        metavar="SCENE",
        help="image set to rank refinements and measure quality on (default: the one of the "
        "training)",
    )
    parser.add_argument(
        "--first-level",
        type=part,
        default=FIRST_LEVEL_PART,
        metavar="PART",
        help="largest part of the file that level 1 may take: the least visible of its anchors "
        f"come with level 2 (default: {FIRST_LEVEL_PART}; 1: all stay)",
    )
    parser.add_argument(
        "--no-quality", action="store_true", help="do not measure PSNR and SSIM of the levels"
    )
    add_background(parser)
    add_device(parser)
    add_progress(parser)


def run(args: argparse.Namespace, console: Console) -> str:
    """Encode; returns the path written.

    Raises:
        PcgsError: no usable run, no usable device, nowhere to write.
    """
    # Delayed: torch must start after the environment is set, and not for --help.
    from .device import start_job

    rasterizer = start_job("encode", args, console)
    job = EncodeJob(
        run=args.run_folder,
        out=args.out,
        backend=args.entropy_backend or best_backend(),
        scene=args.scene,
        background=args.background,
        first_level=args.first_level,
        quality=not args.no_quality,
    )
    console.result(level_table(encode_run(job, rasterizer, console)))
    return str(args.out)


def encode_run(
    job: EncodeJob, rasterizer: "Rasterizer", console: Console
) -> tuple[LevelResult, ...]:
    """Quantize, rank, code, measure by decoding, write.

    Returns:
        Size and quality of every level of the file written.

    Raises:
        CheckpointError: the run has nothing to encode.
        ModelMismatchError: the model has no anchors.
        OutputError: the file cannot be written.
    """
    # Delayed: torch, see run.
    from ..training.checkpoint import load_trained
    from ..training.run_info import load_run_info
    from .file_summary import level_results

    info, model = load_run_info(job.run), load_trained(job.run)
    scene = _load_scene(job, info, console)
    metadata, thumbnail = _metadata(job, info), b""
    encoder = LevelEncoder(job, model, scene, rasterizer, console)
    encoded = encoder.encode(metadata)
    qualities: tuple[LevelQuality, ...] = ()
    if scene is not None:
        qualities, thumbnail = _measure(job, scene, encoded, rasterizer, console)
    if qualities:
        metadata["levels"] = [
            {"level": q.level, "psnr": round(q.psnr, 6), "ssim": round(q.ssim, 7)}
            for q in qualities
        ]
    write_atomically(job.out, encoded.to_bytes(metadata, thumbnail))
    results = level_results(job.out, qualities)
    for result in results:
        console.message(result)
    encoder.report(results)
    console.message(Saved(what="result", path=str(job.out)))
    return results


def _load_scene(job: EncodeJob, info: "RunInfo", console: Console) -> "Scene | None":
    """Return the image set; None, with a warning, where it is gone and was not asked for."""
    # Delayed: torch, see run.
    from ..scene.load_scene import load_scene

    try:
        return load_scene(
            job.scene or Path(info.scene),
            max_size=info.config.training.max_size,
            background=_background(job, info),
        )
    except SceneError as error:
        if job.scene is not None:
            raise
        console.message(
            Warned(
                text="without its images quality is not measured, refinements are ordered by the "
                "size of their errors alone, and level 1 keeps all its anchors: "
                f"{error}; or give --scene"
            )
        )
        return None


def _background(job: EncodeJob, info: "RunInfo") -> tuple[float, float, float]:
    red, green, blue = job.background or info.background
    return red, green, blue


def _metadata(job: EncodeJob, info: "RunInfo") -> dict[str, object]:
    return {
        "title": Path(info.scene).name,
        "generator": f"pcgs {__version__}",
        "background": list(_background(job, info)),
        "training": config_to_dict(info.config.training),
    }


def _measure(
    job: EncodeJob,
    scene: "Scene",
    encoded: "EncodedScene",
    rasterizer: "Rasterizer",
    console: Console,
) -> "tuple[tuple[LevelQuality, ...], bytes]":
    """Decode the bytes; judge every level and draw a thumbnail of the last one."""
    # Delayed: torch, see run.
    from ..codec import ProgressiveDecoder
    from .file_summary import quality_status
    from .level_quality import LevelJudge
    from .pcgs_file import OpenedFile
    from .thumbnail import draw_thumbnail

    decoder = ProgressiveDecoder()
    decoder.feed(encoded.to_bytes({}))
    decoder.finish()
    opened = OpenedFile(decoder=decoder, level=decoder.levels_ready)
    judge = LevelJudge(opened=opened, scene=scene, rasterizer=rasterizer)
    thumbnail = draw_thumbnail(judge)
    if not job.quality:
        return (), thumbnail
    if not scene.test_views:
        console.message(Warned(text="quality is not measured: the scene has no held-out views"))
        return (), thumbnail
    qualities = judge.qualities(
        scene.test_views, on_level=lambda quality: console.message(quality_status(quality))
    )
    return qualities, thumbnail
