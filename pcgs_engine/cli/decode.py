"""`pcgs decode`: a `.pcgs` file in, the anchors of one level as `.npz` or their digest out."""

import argparse
from pathlib import Path

import numpy as np

from .. import __version__
from ..atomic_file import write_atomically
from ..protocol import Saved, Started
from ..splats import AnchorSet
from .console import Console
from .parser import Commands, add_command, add_file, add_level, add_progress
from .pcgs_file import open_file

__all__ = ["add_arguments", "run"]


def add_arguments(commands: Commands) -> None:
    """Add the subcommand."""
    parser = add_command(
        commands,
        "decode",
        run,
        summary="write the decoded anchors of a level as arrays, or print their digest",
        examples=("scene.pcgs --level 1 --out anchors.npz", "scene.pcgs --digest"),
    )
    add_file(parser)
    add_level(parser)
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument(
        "--out",
        type=Path,
        metavar="FILE.npz",
        help="write positions, features, scaling, offsets and gaussian_mask there",
    )
    target.add_argument(
        "--digest",
        action="store_true",
        help="print the digest of the level's integers: the same on every machine",
    )
    add_progress(parser)


def run(args: argparse.Namespace, console: Console) -> str:
    """Decode; returns the path written.

    Raises:
        BitstreamError: the file cannot be decoded.
        OutputError: the result cannot be written.
    """
    console.message(Started(job="decode", version=__version__, backend="", device=""))
    opened = open_file(args.file, args.level, console)
    if args.digest:
        console.result(opened.decoder.digest(opened.level).hex())
        return ""
    _write_anchors(args.out, opened.decoder.anchors(opened.level))
    console.message(Saved(what="result", path=str(args.out)))
    return str(args.out)


def _write_anchors(path: Path, anchors: AnchorSet) -> None:
    arrays = {
        name: getattr(anchors, name)
        for name in ("positions", "features", "scaling", "offsets", "gaussian_mask")
    }
    level = np.array(anchors.level)
    write_atomically(path, lambda file: np.savez(file, level=level, **arrays))
