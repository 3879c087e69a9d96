"""What the panel shows of a job: protocol messages in, figures and words out. No bpy."""

import enum
import signal
from dataclasses import dataclass, field

from pcgs_engine.protocol import (
    ErrorMessage,
    Evaluated,
    LevelResult,
    Message,
    Preview,
    Progress,
    SceneLoaded,
    Started,
    Status,
    Warned,
)

__all__ = ["JobState", "Stage", "exit_reason"]

MAX_CURVE = 512
"""Points kept of the PSNR curve; beyond, every second one goes."""


_KEPT = {
    Status: ("status", "text"),
    SceneLoaded: ("scene_kind", "scene_kind"),
    Evaluated: ("held_out_psnr", "psnr"),
    ErrorMessage: ("error", "text"),
}
"""Messages of which one field is kept: the field of the state, the field of the message."""


class Stage(enum.Enum):
    """Where a job stands; the value is what the panel says."""

    CHECKING = "Checking the engine"
    TRAINING = "Training"
    ENCODING = "Encoding"
    DONE = "Done"
    PAUSED = "Paused"
    CANCELLED = "Cancelled"
    FAILED = "Failed"

    @property
    def running(self) -> bool:
        """Whether a process is at work."""
        return self in (Stage.CHECKING, Stage.TRAINING, Stage.ENCODING)


@dataclass(slots=True, kw_only=True)
class JobState:
    """Latest figures of a job."""

    stage: Stage = Stage.CHECKING
    stopping: bool = False
    """The engine was asked to stop and writes its checkpoint."""
    status: str = ""
    backend: str = ""
    device: str = ""
    scene_kind: str = ""
    """`colmap` or `transforms`."""
    progress: Progress | None = None
    held_out_psnr: float | None = None
    curve: list[tuple[int, float]] = field(default_factory=list)
    """Iteration and PSNR (dB) of the training views."""
    levels: list[LevelResult] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    preview: Preview | None = None
    error: str = ""
    """Why it failed and what to do next."""

    @property
    def share(self) -> float:
        """Progress of the training, 0..1."""
        if self.stage in (Stage.ENCODING, Stage.DONE):
            return 1.0
        if self.progress is None:
            return 0.0
        return min(self.progress.iteration / max(self.progress.total, 1), 1.0)

    def apply(self, message: Message) -> None:
        """Take up one message."""
        kept = _KEPT.get(type(message))
        if kept is not None:
            setattr(self, kept[0], getattr(message, kept[1]))
        match message:
            case Started():
                self.backend, self.device = message.backend, message.device
            case Warned() if message.text not in self.warnings:
                self.warnings.append(message.text)
            case Progress():
                self.progress = message
                self.status = ""
                self._extend_curve(message)
            case Preview():
                self.preview = message
            case LevelResult():
                self.levels.append(message)

    def _extend_curve(self, progress: Progress) -> None:
        # A value that is not finite arrives as null.
        if not isinstance(progress.psnr, float):
            return
        self.curve.append((progress.iteration, progress.psnr))
        if len(self.curve) > MAX_CURVE:
            del self.curve[1:-1:2]


def exit_reason(code: int, *, checkpoint: bool) -> str:
    """Return what to tell of an engine that ended without a word of its own, and what to do."""
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        memory = " (the system does this when memory runs out)" if name == "SIGKILL" else ""
        reason = f"the engine was ended by {name}{memory}"
    else:
        reason = f"the engine ended with exit status {code}"
    if checkpoint:
        return f"{reason}; press Resume to go on from the last checkpoint"
    return f"{reason} before its first checkpoint; press Train to start anew"
