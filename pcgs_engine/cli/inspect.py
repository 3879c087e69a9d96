"""`pcgs inspect`: a `.pcgs` file in, bytes and quality of its levels out; nothing is decoded."""

import argparse
import json

from ..codec import inspect_file
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
        examples=("scene.pcgs", "scene.pcgs --json"),
    )
    add_file(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object for programs")


def run(args: argparse.Namespace, console: Console) -> str:
    """Print what a file holds.

    Raises:
        BitstreamError: it is not a `.pcgs` file or damaged in its front part.
    """
    with reading(args.file):
        info = inspect_file(args.file)
    if args.json:
        console.result(json.dumps(info_to_dict(info)))
    else:
        console.result(info_text(info, str(args.file)))
    return ""
