"""The entry of `pcgs` and `python -m pcgs_engine`: arguments in, exit status out.

0 done, 1 a fault in pcgs, 2 bad arguments, 3 bad input or output, 4 device or memory,
130 cancelled.
"""

import argparse
import contextlib
import logging
import sys
import time
from collections.abc import Sequence

from .. import __version__
from ..protocol import Done
from . import decode, demo, draw, encode, eval, export, inspect, render, selftest, train
from .cancel import signals_interrupt
from .console import Console, ProgressMode, open_console
from .environment import prepare_environment
from .failure import failure_message
from .parser import CommandParser, HelpFormatter, UsageError
from .standard_output import claimed_stdout

__all__ = ["build_parser", "main"]

DESCRIPTION = "Progressive compression of 3D Gaussian splats: one file whose prefix is a scene."
EPILOG = """\
a first session:
  pcgs demo --out demo_out                     the whole way on an embedded sample
  pcgs train PHOTOS --out RUN                  fit a model to a posed image set
  pcgs encode RUN --out scene.pcgs             write the file with all levels
  pcgs inspect scene.pcgs                      what it holds: bytes and PSNR of every level
  pcgs export scene.pcgs --level 1 --out scene.ply

exit status: 0 done, 2 bad arguments, 3 bad input or output, 4 device or memory, 130 cancelled
`pcgs COMMAND --help` tells more about one command.
"""


def build_parser() -> CommandParser:
    """Return the parser of all commands."""
    parser = CommandParser(
        prog="pcgs", description=DESCRIPTION, epilog=EPILOG, formatter_class=HelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"pcgs {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, dest="command")
    for command in (train, encode, inspect, decode, export, render, draw, eval, demo, selftest):
        command.add_arguments(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    try:
        args = build_parser().parse_args(words)
    except UsageError as error:
        return _usage_failure(error, words)
    except SystemExit as stop:  # --help and --version
        return int(stop.code or 0)
    prepare_environment()
    with claimed_stdout() as stdout:
        return _run(args, open_console(getattr(args, "progress", None), stdout))


def _run(args: argparse.Namespace, console: Console) -> int:
    start = time.monotonic()
    try:
        with signals_interrupt():
            result = args.run(args, console)
            if hasattr(args, "progress"):
                console.message(Done(seconds=time.monotonic() - start, result=result))
    except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - the process edge
        return _failure(error, console)
    return 0


def _failure(error: BaseException, console: Console) -> int:
    message = failure_message(error)
    with contextlib.suppress(OSError):  # nobody reads, the exit status still tells
        console.message(message)
    return message.exit_code


def _usage_failure(error: UsageError, words: list[str]) -> int:
    as_json = "--progress=json" in words or "--progress json" in " ".join(words)
    if not as_json:
        sys.stderr.write(error.usage)
    mode = ProgressMode.JSON if as_json else ProgressMode.LINES
    return _failure(error, open_console(mode, sys.stdout))
