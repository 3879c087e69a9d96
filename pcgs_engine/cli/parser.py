"""The argument parser of all commands: errors are raised, help shows defaults and examples."""

import argparse
import enum
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeAlias, TypeVar

from ..errors import ConfigError
from .console import ProgressMode

__all__ = [
    "CommandParser",
    "Commands",
    "HelpFormatter",
    "UsageError",
    "add_background",
    "add_command",
    "add_device",
    "add_file",
    "add_level",
    "add_progress",
    "add_scene",
    "add_split",
    "one_of",
    "part",
    "positive",
    "positive_number",
]
E = TypeVar("E", bound=enum.Enum)


class UsageError(ConfigError):
    """The arguments do not fit the command; `usage` shows its synopsis."""

    def __init__(self, text: str, *, usage: str = "") -> None:
        super().__init__(text)
        self.usage = usage


class CommandParser(argparse.ArgumentParser):
    """Raises UsageError instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{message}; see {self.prog} --help", usage=self.format_usage())


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the line breaks of examples and shows the default of every option that has one."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28, width=100)

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        shown = action.option_strings and not action.required and action.nargs != 0
        if shown and "default" not in text and action.default is not None:
            text += " (default: %(default)s)"
        return text


Commands: TypeAlias = "argparse._SubParsersAction[CommandParser]"
"""What `add_arguments(commands)` of every command receives."""


def add_command(
    commands: Commands,
    name: str,
    run: Callable[..., str],
    *,
    summary: str,
    examples: tuple[str, ...],
) -> CommandParser:
    """Add one subcommand; `run(args, console)` does it and returns the path of its result."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog="examples:\n" + "\n".join(f"  pcgs {name} {line}" for line in examples),
        formatter_class=HelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def add_file(parser: CommandParser) -> None:
    """Add the `.pcgs` file to read."""
    parser.add_argument("file", type=Path, metavar="FILE.pcgs", help="the file to read")


def add_level(parser: "argparse._ActionsContainer") -> None:
    """Add `--level`."""
    parser.add_argument(
        "--level",
        type=positive,
        metavar="S",
        help="level to use, 1 is the smallest (default: the last one in the file)",
    )


def add_scene(parser: CommandParser) -> None:
    """Add the scene whose views are rendered, and how its images are prepared."""
    parser.add_argument(
        "--scene",
        type=Path,
        required=True,
        metavar="SCENE",
        help="folder of the posed image set (COLMAP or transforms.json)",
    )
    parser.add_argument(
        "--max-size",
        type=positive,
        metavar="PX",
        help="longer image side in pixels (default: as in training)",
    )
    add_background(parser)


def add_background(parser: CommandParser, default: str = "as in training") -> None:
    """Add `--background`; `default` says in words what its absence means."""
    parser.add_argument(
        "--background",
        type=_color,
        metavar="R,G,B",
        help="colour behind images with alpha: black, white or three numbers in 0..1 "
        f"(default: {default})",
    )


def add_device(parser: CommandParser) -> None:
    """Add `--device` and `--threads`."""
    parser.add_argument(
        "--device",
        choices=("auto", "cuda", "cpu"),
        default="auto",
        help="where to render; auto takes the NVIDIA GPU if a trial picture comes out right",
    )
    parser.add_argument(
        "--threads",
        type=positive,
        default=_usable_cores(),
        metavar="N",
        help="CPU threads",
    )


def add_progress(parser: CommandParser) -> None:
    """Add `--progress`."""
    parser.add_argument(
        "--progress",
        type=one_of(ProgressMode),
        metavar="{bar,lines,json,none}",
        help="how to report: bar or lines for people on stderr, json for programs: one object a "
        "line on stdout (default: bar on a terminal, else lines)",
    )


def add_split(parser: CommandParser) -> None:
    """Add `--split`."""
    parser.add_argument(
        "--split", choices=("test", "train"), default="test", help="held-out or training views"
    )


def one_of(kind: type[E]) -> Callable[[str], E]:
    """Return a parser of the values of an Enum whose error lists them."""

    def parse(text: str) -> E:
        values = [str(member.value) for member in kind]
        if text not in values:
            raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(values)}")
        return kind(text)

    return parse


def positive(text: str) -> int:
    """Parse an integer >= 1."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return value


def positive_number(text: str) -> float:
    """Parse a finite number > 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def part(text: str) -> float:
    """Parse a number in 0..1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number in 0..1")
    return value


def _usable_cores() -> int:
    # A container or taskset may leave fewer cores than the machine has.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _color(text: str) -> tuple[float, float, float]:
    named = {"black": "0,0,0", "white": "1,1,1"}.get(text, text)
    try:
        r, g, b = (float(part) for part in named.split(","))
    except ValueError:
        r = g = b = -1.0
    if not all(0.0 <= part <= 1.0 for part in (r, g, b)):
        raise argparse.ArgumentTypeError(f"{text!r} is not black, white or R,G,B in 0..1")
    return r, g, b
