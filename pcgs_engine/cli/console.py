"""Console: the only writer to stdout and stderr.

In: protocol messages and result lines. Out: with `json` one JSON line per message on stdout and
nothing else there; otherwise results on stdout and messages for people on stderr, the progress
either as one bar that is drawn over or as plain lines.
"""

import enum
import io
import sys
from typing import TextIO

from ..errors import OutputError
from ..protocol import (
    Done,
    ErrorMessage,
    Evaluated,
    Message,
    Progress,
    Saved,
    SceneLoaded,
    Status,
    Warned,
    message_line,
)

__all__ = ["Console", "ProgressMode", "duration", "open_console"]

BAR_WIDTH = 24
LINES_EVERY = 0.05
"""Share of a run between two plain progress lines."""


class ProgressMode(enum.Enum):
    """Choices of `--progress`."""

    BAR = "bar"
    LINES = "lines"
    JSON = "json"
    NONE = "none"


def default_mode(stream: TextIO) -> ProgressMode:
    """Return `bar` where `stream` is a terminal, else `lines`."""
    return ProgressMode.BAR if stream.isatty() else ProgressMode.LINES


class Console:
    """Shows messages and results; a closed stdout (`| head`, a dead host) sets `closed`."""

    def __init__(self, mode: ProgressMode, *, stdout: TextIO, stderr: TextIO) -> None:
        self.mode = mode
        self.closed = False
        """Whether the reader of stdout has gone away."""
        self._stdout = stdout
        self._stderr = stderr
        self._bar_shown = False
        self._next_line = 0.0

    def result(self, text: str) -> None:
        """Print the result of a command on stdout (on stderr with `--progress json`).

        Raises:
            OutputError: stdout is a full disk.
        """
        self._end_bar()
        if self.mode is ProgressMode.JSON:
            self._write(self._stderr, text + "\n")
        else:
            self._write_result(text + "\n")

    def message(self, message: Message) -> None:
        """Show one message of a job.

        Raises:
            OutputError: stdout is a full disk.
        """
        if self.mode is ProgressMode.JSON:
            self._write_result(message_line(message) + "\n")
        elif isinstance(message, ErrorMessage):
            self._line(f"pcgs: error: {message.text}")
        elif isinstance(message, Warned):
            self._line(f"pcgs: warning: {message.text}")
        elif self.mode is ProgressMode.NONE:
            return
        elif isinstance(message, Progress):
            self._progress(message)
        elif text := message_text(message):
            self._line(text)

    def _progress(self, progress: Progress) -> None:
        share = progress.iteration / max(progress.total, 1)
        if self.mode is ProgressMode.BAR:
            filled = round(share * BAR_WIDTH)
            bar = "#" * filled + "-" * (BAR_WIDTH - filled)
            self._write(self._stderr, f"\r[{bar}] {progress_text(progress)}\x1b[K")
            self._bar_shown = True
        elif share >= self._next_line or share >= 1:
            self._next_line = share + LINES_EVERY
            self._line(progress_text(progress))

    def _line(self, text: str) -> None:
        self._end_bar()
        self._write(self._stderr, text + "\n")

    def _end_bar(self) -> None:
        if self._bar_shown:
            self._bar_shown = False
            self._write(self._stderr, "\n")

    def _write_result(self, text: str) -> None:
        if self.closed:
            return
        try:
            self._stdout.write(text)
            self._stdout.flush()
        except BrokenPipeError:
            self.closed = True
        except OSError as error:
            self.closed = True
            raise OutputError(
                f"cannot write to standard output: {error.strerror}; free space or use --out"
            ) from error

    def _write(self, stream: TextIO, text: str) -> None:
        try:
            stream.write(text)
            stream.flush()
        except OSError:
            # Progress for people is no reason to stop a job: the terminal may be gone.
            self._bar_shown = False


def message_text(message: Message) -> str:
    """Return one line for people, or "" for messages only programs need (levels: see the table)."""
    match message:
        case Status():
            return message.text
        case SceneLoaded():
            return (
                f"scene: {message.scene_kind}, {message.train_views} training and "
                f"{message.test_views} held-out views of {message.width} x {message.height}, "
                f"{message.points} points"
            )
        case Evaluated():
            return (
                f"held-out views at iteration {message.iteration}: {message.psnr:.2f} dB "
                f"after {duration(message.seconds)}"
            )
        case Saved(what="result"):
            return f"saved {message.path}"
        case Done():
            return f"done in {duration(message.seconds)}"
    return ""


def progress_text(progress: Progress) -> str:
    """Return the state of a training run in at most about 80 characters."""
    bits = f" {progress.bits_per_anchor:.0f} bit/anchor" if progress.bits_per_anchor else ""
    return (
        f"{progress.iteration}/{progress.total} loss {progress.loss:.4f} {progress.psnr:.1f} dB "
        f"{progress.anchors} anchors{bits}, {duration(progress.eta_seconds)} left"
    )


def duration(seconds: float) -> str:
    """Return `seconds` as `12 s`, `3 min 20 s` or `2 h 05 min`."""
    if not seconds < 1e8:  # also NaN and infinity
        return "unknown time"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def open_console(mode: ProgressMode | None, stdout: TextIO) -> Console:
    """Return a Console on `stdout` and this process's stderr.

    File names may hold what the terminal's encoding cannot show; they are escaped, not an error.
    """
    for stream in (stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    return Console(mode or default_mode(sys.stderr), stdout=stdout, stderr=sys.stderr)
