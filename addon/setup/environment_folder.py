"""The environment's folder on disk: built beside the one before, put in its place whole, removed.

`engine` is an environment that was proved to work; it only ever appears by a rename. `engine.part`
is one being made: its `wheels` stay after a failure, so that the next try goes on from there.
"""

import contextlib
import json
import os
import shutil
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from ..engine.environment import environment_python

__all__ = [
    "EnvironmentBusyError",
    "InstalledNote",
    "PartFolder",
    "bytes_below",
    "discard_environment",
    "read_note",
]

STALE_SECONDS = 60.0
"""A part folder whose owner has not touched it for so long has been left by a crash."""
NOTE = "pcgs-setup.json"
KEPT_PROGRAMS = ("python", "ninja")
"""Ninja names no folder; gsplat compiles itself with it."""


class EnvironmentBusyError(Exception):
    """Another process uses or makes the environment; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledNote:
    """What an environment says about itself."""

    engine: str
    """Version of the engine installed in it."""
    cuda: bool
    unchecked: tuple[str, ...]
    """Packages that were not compared with a hash the add-on knows."""


class PartFolder:
    """The folder an environment is made in."""

    def __init__(self, final: Path) -> None:
        """Name it; nothing is created.

        Args:
            final: where the environment shall be.
        """
        self._final = final
        self._root = final.with_name(final.name + ".part")
        self.environment = self._root / "environment"
        self.wheels = self._root / "wheels"
        self.scratch = self._root / "scratch"
        """For pip's own files; on the same disk, so that the space is checked where it is used."""
        self.empty = self._root / "empty"

    @property
    def exists(self) -> bool:
        """Whether an unfinished set-up has left something."""
        return self._root.exists()

    @property
    def python(self) -> Path:
        """Python of the environment that is being made."""
        return environment_python(self.environment)

    def claim(self) -> None:
        """Take the folder for this process and clear it of all but finished downloads.

        Raises:
            EnvironmentBusyError: another process is at work in it.
            OSError: it cannot be written.
        """
        sign = self._root / "alive"
        with contextlib.suppress(FileNotFoundError):
            if time.time() - sign.stat().st_mtime < STALE_SECONDS:
                raise EnvironmentBusyError(
                    "another Blender is setting up the training engine; wait until it has "
                    "finished, or for a minute if it was closed"
                )
        self._root.mkdir(parents=True, exist_ok=True)
        self.touch()
        self._clear()
        for folder in (self.wheels, self.scratch, self.empty):
            folder.mkdir(exist_ok=True)

    def touch(self) -> None:
        """Show that the owner is alive; to be called every few seconds."""
        (self._root / "alive").touch()

    def release(self, *, keep_wheels: bool) -> None:
        """Give the folder up, with or without the finished downloads."""
        with contextlib.suppress(OSError):
            self._clear()
            (self._root / "alive").unlink(missing_ok=True)
        if not keep_wheels or not any(self.wheels.glob("*.whl")):
            shutil.rmtree(self._root, ignore_errors=True)

    def publish(self, note: InstalledNote) -> None:
        """Put the finished environment in its place.

        Raises:
            EnvironmentBusyError: the one before is in use (Windows).
            OSError: it cannot be written.
        """
        text = json.dumps(asdict(note))
        (self.environment / NOTE).write_text(text, encoding="utf-8")
        _drop_scripts(self.environment)
        discard_environment(self._final)
        self.environment.rename(self._final)

    def _clear(self) -> None:
        for folder in (self.environment, self.scratch, self.empty):
            if folder.exists():
                shutil.rmtree(folder)


def discard_environment(final: Path, *, in_background: bool = False) -> None:
    """Remove an environment and what an interrupted removal left; nothing there is fine.

    Args:
        final: its folder, gone when this returns.
        in_background: delete the files, tens of thousands, after returning.

    Raises:
        EnvironmentBusyError: a program in it is running (Windows).
    """
    old = final.with_name(final.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    try:
        final.rename(old)  # at once and whole: half an environment must never be taken for one
    except FileNotFoundError:
        return
    except OSError as error:
        raise EnvironmentBusyError(
            f"{final} is in use ({error.strerror}); stop the training, close other Blenders and "
            "try again"
        ) from error
    if in_background:
        # What Blender's end leaves of it is removed by the next set-up or removal.
        threading.Thread(target=shutil.rmtree, args=(old, True), daemon=True).start()
    else:
        shutil.rmtree(old, ignore_errors=True)


def read_note(final: Path) -> InstalledNote | None:
    """Return what the environment says about itself; None where none was set up."""
    try:
        fields = json.loads((final / NOTE).read_text(encoding="utf-8"))
        return InstalledNote(
            engine=str(fields["engine"]),
            cuda=bool(fields["cuda"]),
            unchecked=tuple(map(str, fields["unchecked"])),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def bytes_below(folder: Path) -> int:
    """Return how many bytes the files of a folder hold; it may change meanwhile."""
    total, folders = 0, [str(folder)]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    total += entry.stat(follow_symlinks=False).st_size
    return total


def _drop_scripts(environment: Path) -> None:
    """Remove programs that name the folder the environment was made in; the Python does not."""
    scripts = environment / ("Scripts" if sys.platform == "win32" else "bin")
    for path in scripts.iterdir():
        if not path.name.startswith(KEPT_PROGRAMS):
            path.unlink()
