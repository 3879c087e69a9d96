"""A training as one job: check the engine, train, encode. Polled; no bpy, nothing blocks.

In: settings. Out: `state` for the panel, files in the run folder. The job ends in a stage that
is not running; the run folder then holds a checkpoint to resume from, or the result.
"""

import enum
import time
from collections.abc import Callable

from pcgs_engine.errors import CancelledError

from .environment import EnvironmentReport
from .job_state import JobState, Stage, exit_reason
from .process import EngineProcess, EngineStartError, Exited
from .run_folder import CHECKPOINT, RunState
from .script_task import Task
from .train_settings import TrainSettings, encode_arguments, train_arguments

__all__ = ["TrainingJob"]


class _Wish(enum.Enum):
    """How the user wants a job to end."""

    NONE = "run to the end"
    PAUSE = "pause"
    CANCEL = "cancel"


class TrainingJob:
    """One training from the press of the button to the file."""

    def __init__(
        self,
        settings: TrainSettings,
        check: Callable[[], EnvironmentReport],
        *,
        scene_name: str,
        resumed: RunState | None = None,
    ) -> None:
        """Start it.

        Args:
            settings: what to train.
            check: returns the engine to use; may take seconds, runs in a thread.
            scene_name: the Blender scene it belongs to.
            resumed: the run to go on with; None starts anew.
        """
        self.settings = settings
        self.scene_name = scene_name
        self.state = JobState()
        self.report: EnvironmentReport | None = None
        self.started_at = time.monotonic()
        self._resume = resumed is not None
        for message in () if resumed is None else resumed.messages:
            self.state.apply(message)
        self.state.preview, self.state.error = None, ""
        self._wish = _Wish.NONE
        self._log: tuple[str, ...] = ()
        self._process: EngineProcess | None = None
        self._check = Task(check)

    @property
    def running(self) -> bool:
        """Whether something is at work."""
        return self.state.stage.running

    @property
    def log(self) -> tuple[str, ...]:
        """The last lines of the engine's log."""
        return self._log if self._process is None else self._process.log

    @property
    def has_checkpoint(self) -> bool:
        """Whether a later job can resume."""
        return (self.settings.run / CHECKPOINT).is_file()

    @property
    def engine_pid(self) -> int | None:
        """Process id of the engine while it runs."""
        return None if self._process is None else self._process.pid

    def poll(self) -> bool:
        """Take what has arrived; returns whether anything changed. Never blocks."""
        if not self.running:
            return False
        if self.state.stage is Stage.CHECKING:
            return self._poll_check()
        if self._process is None:
            return False
        taken = self._process.take()
        for entry in taken:
            if isinstance(entry, Exited):
                self._on_exit(entry.code)
            else:
                self.state.apply(entry)
        return bool(taken)

    def wait(self, seconds: float = 0.05) -> None:
        """Block until the job has ended (background mode, scripts)."""
        while self.running:
            self.poll()
            time.sleep(seconds)

    def pause(self) -> None:
        """Save a checkpoint and stop; to be resumed."""
        self._stop(_Wish.PAUSE)

    def cancel(self) -> None:
        """Save a checkpoint and stop; a second call ends the engine at once."""
        if self.state.stopping and self._process is not None:
            self._process.kill()
        self._stop(_Wish.CANCEL)

    def abandon(self) -> None:
        """Stop without anybody waiting for the end: Blender quits or opens another file."""
        self._stop(_Wish.PAUSE)
        if self._process is None:
            self.state.stage = Stage.PAUSED

    def _stop(self, wish: _Wish) -> None:
        if not self.running:
            return
        self._wish = wish
        self.state.stopping = True
        if self._process is not None:
            self._process.stop()

    def _poll_check(self) -> bool:
        if not self._check.done:
            return False
        self.report = self._check.result
        if self._wish is not _Wish.NONE:
            self._end_as_wished()
        elif self.report is None:
            self._fail(self._check.error or "the engine could not be checked")
        elif not self.report.usable:
            self._fail(self.report.problem)
        else:
            self._start(Stage.TRAINING, train_arguments(self.settings, resume=self._resume))
        return True

    def _start(self, stage: Stage, arguments: list[str]) -> None:
        if self.report is None:
            raise AssertionError("a job starts no engine before its check")
        candidate = self.report.candidate
        self.state.stage = stage
        try:
            self._process = EngineProcess(candidate.python, arguments, own_site=candidate.chosen)
        except EngineStartError as error:
            self._fail(str(error))

    def _on_exit(self, code: int) -> None:
        self._release()
        if code == 0 and self.state.stage is Stage.TRAINING and self._wish is _Wish.NONE:
            self.state.levels.clear()
            self._start(Stage.ENCODING, encode_arguments(self.settings))
        elif code == 0 and self.state.stage is Stage.ENCODING:
            self._end(Stage.DONE)
        elif code in (0, CancelledError.exit_code) or self._stopped_early():
            self._end_as_wished()
        else:
            self._fail(self.state.error or exit_reason(code, checkpoint=self.has_checkpoint))

    def _stopped_early(self) -> bool:
        """Whether it was asked to stop before it could answer, or killed by a second Cancel."""
        return self._wish is not _Wish.NONE and not self.state.error

    def _release(self) -> None:
        if self._process is not None:
            self._log = self._process.log
            self._process.stop()
            self._process = None

    def _end_as_wished(self) -> None:
        # Also stopped by someone else's signal: the engine has saved its state, so it is a pause.
        self.state.error = ""
        self._end(Stage.CANCELLED if self._wish is _Wish.CANCEL else Stage.PAUSED)

    def _fail(self, text: str) -> None:
        self.state.error = text
        self._end(Stage.FAILED)

    def _end(self, stage: Stage) -> None:
        self.state.stage = stage
        self.state.stopping = False
        self.state.status = ""
