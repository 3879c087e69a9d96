"""Messages a job sends to its host: one JSON object per line on stdout, a closed set.

`done` or `error` is always the last message. Logs go to stderr; arrays cross by file.
"""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "Done",
    "ErrorMessage",
    "Evaluated",
    "LevelResult",
    "Message",
    "OnMessage",
    "Preview",
    "Progress",
    "Saved",
    "SceneLoaded",
    "Started",
    "Status",
    "Warned",
    "message_line",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Base of all messages; `kind` is the JSON key `type`."""

    kind: ClassVar[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Message):
    """First message: what runs and where."""

    kind: ClassVar[str] = "started"
    job: str
    """`train`, `encode`, `decode`, `export`, `render`, `eval` or `demo`."""
    version: str
    backend: str
    """Rasterizer name, or empty where none is used."""
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status(Message):
    """What the job does now, in words."""

    kind: ClassVar[str] = "status"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned(Message):
    """Something the user should know; the job goes on."""

    kind: ClassVar[str] = "warning"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneLoaded(Message):
    """What was found in the scene folder."""

    kind: ClassVar[str] = "scene"
    scene_kind: str
    train_views: int
    test_views: int
    points: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress(Message):
    """State of a training run, about once a second; `total` steps in all."""

    kind: ClassVar[str] = "progress"
    iteration: int
    total: int
    loss: float
    psnr: float
    """Moving average over training views, dB."""
    bits_per_anchor: float
    """Estimated at the level just drawn; 0 before the rate term starts."""
    anchors: int
    gaussians: int
    eta_seconds: float
    memory_mb: float
    """Resident (CPU) or allocated (CUDA) memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated(Message):
    """Held-out quality during training, at the last level."""

    kind: ClassVar[str] = "evaluated"
    iteration: int
    psnr: float
    seconds: float
    """Training time so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview(Message):
    """Files a host can show: a rendered held-out view and the splats so far."""

    kind: ClassVar[str] = "preview"
    iteration: int
    image: str
    splats: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelResult(Message):
    """Size and quality of one level."""

    kind: ClassVar[str] = "level"
    level: int
    bytes: int
    anchors: int
    splats: int
    psnr: float | None
    ssim: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved(Message):
    """A checkpoint or result is on disk."""

    kind: ClassVar[str] = "saved"
    what: str
    """`checkpoint` or `result`."""
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorMessage(Message):
    """Last message of a job that failed or was cancelled."""

    kind: ClassVar[str] = "error"
    error: str
    """Class name from errors.py."""
    text: str
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(Message):
    """Last message of a job that succeeded."""

    kind: ClassVar[str] = "done"
    seconds: float
    result: str
    """Path of the main result."""


OnMessage = Callable[[Message], None]


def message_line(message: Message) -> str:
    """Return the message as one line of strict JSON (NaN and infinity become null)."""
    body = {"type": message.kind, **dataclasses.asdict(message)}
    clean = {k: None if isinstance(v, float) and v - v != 0 else v for k, v in body.items()}
    return json.dumps(clean, allow_nan=False)
