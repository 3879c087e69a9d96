"""`pcgs inspect`: a `.pcgs` file in, bytes and quality of its levels out; nothing is decoded."""

import argparse
import json
from pathlib import Path

from ..atomic_file import write_atomically
from ..bitstream import image_kind
from ..codec.inspect import inspect_file, read_thumbnail
from .console import Console
from .file_summary import info_text, info_to_dict
from .parser import Commands, add_command, add_file
from .pcgs_file import reading

__all__ = ["add_arguments", "run"]


def add_arguments(commands: Commands) -> None:
    """Add the subcommand."""
    parser = add_command(
        commands,
        "inspect",
        run,
        summary="show bytes per level and component, PSNR per level and metadata",
        examples=("scene.pcgs", "scene.pcgs --json", "scene.pcgs --thumbnail scene.jpg"),
    )
    add_file(parser)
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print one JSON object for programs")
    output.add_argument(
        "--thumbnail",
        type=Path,
        metavar="IMAGE",
        help="write the picture in the file (JPEG or PNG) there (default: print the table)",
    )


def run(args: argparse.Namespace, console: Console) -> str:
    """Print what a file holds, or write its thumbnail; returns the path written.

    Raises:
        BitstreamError: it is not a `.pcgs` file or damaged in its front part.
        ConfigError: a thumbnail is wanted and there is none.
        OutputError: the thumbnail cannot be written.
    """
    if args.thumbnail is not None:
        return _write_thumbnail(args.file, args.thumbnail, console)
    with reading(args.file):
        info = inspect_file(args.file)
    if args.json:
        console.result(json.dumps(info_to_dict(info)))
    else:
        console.result(info_text(info, str(args.file)))
    return ""


def _write_thumbnail(file: Path, out: Path, console: Console) -> str:
    with reading(file):
        data = read_thumbnail(file)
    write_atomically(out, data)
    console.result(f"{out}: {image_kind(data).name}, {len(data)} bytes")
    return str(out)
