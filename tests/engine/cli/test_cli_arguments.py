"""Help texts and argument errors, without any work being done."""

import argparse
import json
import subprocess
import sys

import pytest

from pcgs_engine import __version__
from pcgs_engine.cli.main import build_parser, main

COMMANDS = (
    "train", "encode", "inspect", "decode", "export", "render", "draw", "eval", "demo", "selftest",
)  # fmt: skip


def subparsers() -> dict[str, argparse.ArgumentParser]:
    action = next(a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


def test_parser_has_the_documented_commands() -> None:
    assert tuple(subparsers()) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_command_has_examples_and_exits_zero(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert "examples:" in text
    assert f"pcgs {command} " in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_that_takes_a_value_says_its_default(command: str) -> None:
    parser = subparsers()[command]
    formatter = parser._get_formatter()
    for action in parser._actions:
        in_required_choice = any(
            group.required and action in group._group_actions
            for group in parser._mutually_exclusive_groups
        )
        if not action.option_strings or action.nargs == 0 or action.required or in_required_choice:
            continue
        text = formatter._expand_help(action)
        assert "default:" in text, f"{action.option_strings[0]}: {text}"


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_of_help_are_accepted_by_the_parser(command: str) -> None:
    parser = subparsers()[command]
    lines = [line.strip() for line in str(parser.epilog).splitlines()[1:]]
    for line in lines:
        words = line.split("   ")[0].split()
        assert build_parser().parse_args(words[1:]).command == command


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith(f"pcgs {__version__}")


@pytest.mark.parametrize(
    ("argv", "part"),
    [
        ([], "COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["train", "photos"], "--out"),
        (["train", "photos", "--out", "r", "--preset", "best"], "preview, standard, high"),
        (["train", "photos", "--out", "r", "--iterations", "0"], "whole number of at least 1"),
        (["train", "photos", "--out", "r", "--time-limit", "nan"], "not a number above 0"),
        (["train", "photos", "--out", "r", "--preview-seconds", "0"], "not a number above 0"),
        (["train", "photos", "--out", "r", "--background", "2,0,0"], "R,G,B in 0..1"),
        (["decode", "x.pcgs"], "--out --digest"),
        (["export", "x.pcgs", "--level", "1", "--max-bytes", "9", "--out", "x.ply"], "not allowed"),
        (["export", "x.pcgs", "--out", "x.spz"], ".spz is not yet supported"),
        (["export", "x.pcgs", "--max-bytes", "9", "--out", "x.ply"], "--max-bytes needs"),
        (["eval", "x.pcgs", "--scene", "s", "--json", "--progress", "json"], "drop one"),
    ],
)
def test_bad_arguments_exit_two_with_one_error_line(
    argv: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2
    captured = capsys.readouterr()
    lines = [line for text in captured for line in text.splitlines()]
    errors = [line for line in lines if "error" in line]
    assert len(errors) == 1
    assert part in errors[0]
    assert "Traceback" not in captured.err


def test_bad_arguments_with_json_progress_end_in_an_error_message(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["train", "photos", "--progress", "json"]) == 2
    out = capsys.readouterr().out.splitlines()
    assert json.loads(out[-1])["type"] == "error"
    assert json.loads(out[-1])["exit_code"] == 2


def test_help_starts_without_torch() -> None:
    program = (
        "import sys\n"
        "from pcgs_engine.cli.main import main\n"
        "main(['train', '--help'])\n"
        "heavy = {'torch', 'numba', 'scipy', 'cv2', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
