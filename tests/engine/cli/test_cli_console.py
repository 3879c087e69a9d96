"""Console: who gets to see what, and what happens when nobody reads."""

import io
import json

import pytest

from pcgs_engine.cli.console import Console, ProgressMode, duration
from pcgs_engine.errors import OutputError
from pcgs_engine.protocol import Done, ErrorMessage, Progress, Saved, Status, Warned


class FailingText(io.StringIO):
    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error


def progress(iteration: int) -> Progress:
    return Progress(
        iteration=iteration,
        total=100,
        loss=0.1234,
        psnr=20.0,
        bits_per_anchor=0.0,
        anchors=1000,
        gaussians=5000,
        eta_seconds=75.0,
        memory_mb=100.0,
    )


def shown(mode: ProgressMode, *messages: object) -> tuple[str, str]:
    console = Console(mode, stdout=io.StringIO(), stderr=io.StringIO())
    for message in messages:
        console.message(message)  # type: ignore[arg-type]
    return console._stdout.getvalue(), console._stderr.getvalue()  # type: ignore[attr-defined]


def test_console_json_writes_one_object_a_line_and_nothing_else() -> None:
    out, err = shown(
        ProgressMode.JSON, Status(text="a\nb"), progress(1), Done(seconds=1.0, result="x")
    )
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["type"] for line in lines] == ["status", "progress", "done"]
    assert err == ""


def test_console_json_keeps_result_text_off_stdout() -> None:
    console = Console(ProgressMode.JSON, stdout=io.StringIO(), stderr=io.StringIO())
    console.result("table")
    assert console._stdout.getvalue() == ""  # type: ignore[attr-defined]


def test_console_bar_is_drawn_over_and_closed_before_the_next_line() -> None:
    out, err = shown(ProgressMode.BAR, progress(50), progress(60), Status(text="next"))
    assert out == ""
    assert err.count("\r") == 2
    assert err.endswith("\nnext\n")
    assert "60/100" in err
    assert "1 min 15 s left" in err


def test_console_lines_shows_a_share_of_the_progress_only() -> None:
    _, err = shown(ProgressMode.LINES, *(progress(i) for i in range(1, 101)))
    assert 15 <= len(err.splitlines()) <= 25
    assert "100/100" in err


def test_console_none_still_shows_warnings_and_errors() -> None:
    error = ErrorMessage(error="ConfigError", text="bad", exit_code=2)
    out, err = shown(ProgressMode.NONE, Status(text="quiet"), Warned(text="odd"), error)
    assert out == ""
    assert err == "pcgs: warning: odd\npcgs: error: bad\n"


def test_console_checkpoints_are_not_news_for_people() -> None:
    _, err = shown(
        ProgressMode.LINES, Saved(what="checkpoint", path="c"), Saved(what="result", path="r")
    )
    assert err == "saved r\n"


def test_console_with_closed_reader_goes_on_and_says_so() -> None:
    console = Console(
        ProgressMode.JSON, stdout=FailingText(BrokenPipeError()), stderr=io.StringIO()
    )
    console.message(Status(text="a"))
    assert console.closed


def test_console_with_full_stdout_raises_output_error() -> None:
    full = FailingText(OSError(28, "No space left on device"))
    console = Console(ProgressMode.LINES, stdout=full, stderr=io.StringIO())
    with pytest.raises(OutputError, match="standard output"):
        console.result("table")


def test_console_with_dead_terminal_does_not_stop_a_job() -> None:
    console = Console(
        ProgressMode.BAR, stdout=io.StringIO(), stderr=FailingText(OSError(5, "gone"))
    )
    console.message(progress(1))
    console.message(Status(text="a"))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (61.0, "1 min 01 s"),
        (7500.0, "2 h 05 min"),
        (float("nan"), "unknown time"),
        (float("inf"), "unknown time"),
    ],
)
def test_duration_is_readable(seconds: float, text: str) -> None:
    assert duration(seconds) == text
