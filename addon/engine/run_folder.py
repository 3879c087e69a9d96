"""A run folder on disk in, what the panel offers to do with it out. No bpy.

What lies there is told in `pcgs_engine.training.train`; the result file is written beside it.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from pcgs_engine.codec.inspect import LevelInfo, inspect_file
from pcgs_engine.errors import PcgsError
from pcgs_engine.protocol import Evaluated, Message, Progress
from pcgs_engine.scene.colmap_scene import find_colmap_model

from .messages import parse_message

__all__ = ["CHECKPOINT", "CONFIG", "RunState", "find_unfinished_run", "read_run", "same_folder"]

CHECKPOINT = "checkpoint.safetensors"
CONFIG = "config.json"
LOG = "log.jsonl"
TRANSFORMS = "transforms.json"
LOG_TAIL_BYTES = 1 << 19
"""About two thousand messages, an hour of training: enough for the curve in the panel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """How far a run has come."""

    folder: Path
    images: str
    """The image folder it was started with; empty where nobody knows."""
    checkpoint: bool
    messages: tuple[Message, ...]
    """The last ones of its log."""
    result: Path | None
    levels: tuple[LevelInfo, ...]
    """Levels of the result file."""
    problem: str
    """Why the result file cannot be used; empty where it can or there is none."""

    @property
    def scene_kind(self) -> str:
        """`colmap` or `transforms`: what the image folder held."""
        folder = Path(self.images)
        if (folder / TRANSFORMS).is_file() or find_colmap_model(folder) is None:
            return "transforms"
        return "colmap"

    @property
    def resumable(self) -> bool:
        """Whether there is a checkpoint and no result yet."""
        return self.checkpoint and self.result is None

    @property
    def progress(self) -> Progress | None:
        """The last one told; a crash may have lost some of it."""
        return next((m for m in reversed(self.messages) if isinstance(m, Progress)), None)

    @property
    def psnr(self) -> float | None:
        """Held-out PSNR where it was measured, else that of the training views."""
        measured = next((m for m in reversed(self.messages) if isinstance(m, Evaluated)), None)
        if measured is not None:
            return measured.psnr
        return None if self.progress is None else self.progress.psnr


def read_run(folder: Path) -> RunState | None:
    """Return what is in a run folder; None where it is none."""
    images = _images_of(folder)
    if images is None:
        return None
    result = next(iter(sorted(folder.glob("*.pcgs"))), None)
    levels: tuple[LevelInfo, ...] = ()
    problem = ""
    if result is not None:
        try:
            levels = inspect_file(result).levels
        except (PcgsError, OSError) as error:
            problem = f"{result.name}: {error}"
    return RunState(
        folder=folder,
        images=images,
        checkpoint=(folder / CHECKPOINT).is_file(),
        messages=_last_messages(folder / LOG),
        result=result,
        levels=levels,
        problem=problem,
    )


def find_unfinished_run(runs: Path, images: Path) -> RunState | None:
    """Return the newest resumable run of an image folder, if there is one."""
    try:
        folders = [Path(entry.path) for entry in os.scandir(runs) if entry.is_dir()]
    except OSError:
        return None
    for folder in sorted(folders, reverse=True):
        state = read_run(folder)
        if state is not None and state.resumable and same_folder(state.images, images):
            return state
    return None


def same_folder(first: str, second: Path) -> bool:
    """Whether two paths name one folder; both may be gone."""
    return os.path.realpath(first) == os.path.realpath(second)


def _images_of(folder: Path) -> str | None:
    try:
        data = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    scene = data.get("scene") if isinstance(data, dict) else None
    return scene if isinstance(scene, str) else None


def _last_messages(log: Path) -> tuple[Message, ...]:
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LOG_TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ()
    found = (parse_message(line) for line in lines)
    return tuple(message for message in found if message is not None)
