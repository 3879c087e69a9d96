"""Settings of a training in, the engine's command lines out. No bpy."""

from dataclasses import dataclass
from pathlib import Path

from .run_folder import CONFIG

__all__ = ["TrainSettings", "encode_arguments", "train_arguments"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """What to train, how, and where it goes. 0 means "as the preset says"."""

    images: Path
    run: Path
    result: Path
    device: str = "auto"
    threads: int = 1
    preset: str = "preview"
    iterations: int = 0
    levels: int = 0
    max_size: int = 0
    head: str = "explicit"
    background: str = "black"
    seed: int = 0
    time_limit: float = 0.0
    """Minutes; 0: none."""
    preview_seconds: float = 0.0
    """Between two previews; 0: the few of every run."""


def train_arguments(settings: TrainSettings, *, resume: bool) -> list[str]:
    """Return the arguments of `pcgs train`.

    A run that has its own settings is resumed with those: other ones would be refused.
    """
    arguments = ["train", str(settings.images), "--out", str(settings.run)]
    if resume:
        arguments.append("--resume")
    if not resume or not (settings.run / CONFIG).is_file():
        arguments += ["--preset", settings.preset, "--seed", str(settings.seed)]
        arguments += ["--head", settings.head, "--background", settings.background]
        for name in ("iterations", "levels", "max_size"):
            if value := getattr(settings, name):
                arguments += ["--" + name.replace("_", "-"), str(value)]
    if settings.time_limit:
        arguments += ["--time-limit", f"{settings.time_limit:g}"]
    if settings.preview_seconds:
        arguments += ["--preview-seconds", f"{settings.preview_seconds:g}"]
    return [*arguments, *_machine(settings)]


def encode_arguments(settings: TrainSettings) -> list[str]:
    """Return the arguments of `pcgs encode`."""
    return ["encode", str(settings.run), "--out", str(settings.result), *_machine(settings)]


def _machine(settings: TrainSettings) -> list[str]:
    threads = str(settings.threads)
    return ["--device", settings.device, "--threads", threads, "--progress", "json"]
