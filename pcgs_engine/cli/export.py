"""`pcgs export`: a `.pcgs` file in, one level as splats (`.ply`) or a smaller `.pcgs` out."""

import argparse
import io
from pathlib import Path

from .. import __version__
from ..atomic_file import write_atomically
from ..codec.inspect import inspect_stream
from ..codec.truncate import truncate_to_bytes, truncate_to_level
from ..errors import ConfigError
from ..protocol import Saved, Started, Status
from .console import Console
from .file_summary import cut_text
from .parser import Commands, add_command, add_file, add_level, add_progress, positive
from .pcgs_file import open_file, reading

__all__ = ["add_arguments", "run"]


def add_arguments(commands: Commands) -> None:
    """Add the subcommand."""
    parser = add_command(
        commands,
        "export",
        run,
        summary="write one level as a standard splat file, or a smaller .pcgs",
        examples=(
            "scene.pcgs --level 2 --out scene.ply    splats for any viewer",
            "scene.pcgs --level 1 --out small.pcgs   the same file, first level only",
            "scene.pcgs --max-bytes 2000000 --out small.pcgs   as much as fits",
        ),
    )
    add_file(parser)
    limit = parser.add_mutually_exclusive_group()
    add_level(limit)
    limit.add_argument(
        "--max-bytes",
        type=positive,
        metavar="N",
        help="largest size of a .pcgs: keeps as many levels and refinement packages as fit "
        "(default: no limit)",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="X.ply|X.pcgs", help="the file to write"
    )
    add_progress(parser)


def run(args: argparse.Namespace, console: Console) -> str:
    """Export; returns the path written.

    Raises:
        ConfigError: the kind of file is not one of those supported, or it has no such level.
        BitstreamError: the input cannot be decoded.
        OutputError: the result cannot be written.
    """
    suffix = args.out.suffix.lower()
    if suffix not in (".ply", ".pcgs"):
        extra = " (.spz is not yet supported)" if suffix == ".spz" else ""
        raise ConfigError(f"--out is {args.out}, wanted a name that ends in .ply or .pcgs{extra}")
    if suffix == ".ply" and args.max_bytes is not None:
        raise ConfigError("--max-bytes needs --out X.pcgs; choose a --level for .ply")
    console.message(Started(job="export", version=__version__, backend="", device=""))
    if suffix == ".ply":
        _export_ply(args, console)
    else:
        _export_pcgs(args, console)
    console.message(Saved(what="result", path=str(args.out)))
    return str(args.out)


def _export_ply(args: argparse.Namespace, console: Console) -> None:
    # Delayed: plyfile is needed here only.
    from ..splats.ply import write_ply

    opened = open_file(args.file, args.level, console)
    cloud = opened.splats()
    console.message(Status(text=f"level {opened.level}: {len(cloud)} splats"))
    write_ply(args.out, cloud)


def _export_pcgs(args: argparse.Namespace, console: Console) -> None:
    if args.max_bytes is None and args.level is None:
        raise ConfigError("a .pcgs from a .pcgs needs --level or --max-bytes")
    with reading(args.file):
        if args.level is None:
            data = truncate_to_bytes(args.file, args.max_bytes)
        else:
            data = truncate_to_level(args.file, args.level)
    write_atomically(args.out, data)
    end = inspect_stream(io.BytesIO(data)).cut_points[-1]
    console.message(Status(text=f"{len(data)} bytes, {cut_text(end)}"))
