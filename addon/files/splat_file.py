"""SplatFile: one file being decoded in its own thread; the levels ready so far out.

The thread only fills this object; nothing here knows Blender. Hosts ask `version` (it rises when
something changed) and read the rest.
"""

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pcgs_engine.codec import FileInfo
from pcgs_engine.errors import PcgsError, TruncatedError
from pcgs_engine.splats import SplatCloud

from .byte_source import ByteSource, DiskSource, FileStamp
from .file_state import FileState
from .reading import Reading, Sink, reading_of

__all__ = ["Bounds", "CloudKey", "LevelCloud", "SplatFile"]

log = logging.getLogger(__name__)

CloudKey = tuple[str, int, int]
"""Source identity, generation (new for every new content), level: equal for duplicates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelCloud:
    """What is shown for a wanted level."""

    level: int
    """The level really given: the wanted one or the best ready one below it."""
    cloud: SplatCloud
    key: CloudKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Axis-aligned box of the splat centres."""

    low: npt.NDArray[np.float32]  # [3]
    high: npt.NDArray[np.float32]  # [3]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Progress:
    """All that is known of a file; replaced as a whole, so a reader never sees half a change."""

    state: FileState = FileState.WAITING
    message: str = ""
    share: float = 0.0
    levels: int = 0
    info: FileInfo | None = None
    thumbnail: bytes = b""
    generation: int = 0
    clouds: tuple[LevelCloud, ...] = ()
    bounds: tuple[Bounds, ...] = ()


class SplatFile:
    """A file, its decoding thread and its decoded levels."""

    def __init__(
        self, source: ByteSource, slots: threading.Semaphore, generations: Iterator[int]
    ) -> None:
        """Prepare; nothing is read before `start`.

        Args:
            source: where the bytes are.
            slots: shared by all files: how many decode at once.
            generations: shared by all files: a new number for every new content.
        """
        self._generations = generations
        self.source = source
        self._slots = slots
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._now = _Progress()
        self._version = 0
        self._stamp: FileStamp | None = None
        self._reading: Reading | None = None
        self._fresh = True
        """Whether the next level is the first of new content."""
        self._cancel = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def path(self) -> Path | None:
        """Where the file is; None for packed bytes."""
        return self.source.path if isinstance(self.source, DiskSource) else None

    @property
    def version(self) -> int:
        """Rises with every change of what is ready, known or said."""
        return self._version

    @property
    def state(self) -> FileState:
        """Where it stands."""
        return self._now.state

    @property
    def message(self) -> str:
        """What the user should know, with the next step; empty when all is well."""
        return self._now.message

    @property
    def progress(self) -> float:
        """Share of the file read, 0..1."""
        return self._now.share

    @property
    def levels(self) -> int:
        """Levels of the file; 0 = not known yet."""
        return self._now.levels

    @property
    def levels_ready(self) -> int:
        """Levels that can be shown."""
        return len(self._now.clouds)

    @property
    def info(self) -> FileInfo | None:
        """Sizes and quality of all levels, once the file's front is there; None for a PLY."""
        return self._now.info

    @property
    def metadata(self) -> dict[str, object]:
        """The file's JSON metadata; empty where there are none (yet)."""
        return self._now.info.metadata if self._now.info else {}

    @property
    def thumbnail(self) -> bytes:
        """JPEG or PNG of the scene; empty where the file has none (yet)."""
        return self._now.thumbnail

    def shown(self, level: int) -> LevelCloud | None:
        """Return the splats for a wanted level; None for level 0 or where nothing is ready."""
        clouds = self._now.clouds
        return clouds[min(level, len(clouds)) - 1] if clouds and level >= 1 else None

    def cloud(self, level: int) -> SplatCloud | None:
        """Return the splats of a level, or of the best ready one below it."""
        found = self.shown(level)
        return found.cloud if found else None

    def bounds(self, level: int) -> Bounds | None:
        """Return the box around the splats that `cloud(level)` gives."""
        bounds = self._now.bounds
        return bounds[min(level, len(bounds)) - 1] if bounds and level >= 1 else None

    def start(self) -> None:
        """Decode what is there and not decoded yet; no-op while a thread works."""
        with self._lock:
            if self._thread is not None:
                return
            self._cancel.clear()
            self._set(state=FileState.WAITING, message="")
            self._thread = threading.Thread(
                target=self._run, name=f"pcgs decode {self.source.identity}", daemon=True
            )
            self._thread.start()

    def cancel(self) -> None:
        """Ask the thread to stop; levels ready so far stay."""
        self._cancel.set()

    def close(self, seconds: float = 5.0) -> None:
        """Stop and wait for the thread."""
        self.cancel()
        thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def refresh(self) -> None:
        """Look at the file again: decode on where it has grown, anew where it was replaced."""
        if self._thread is not None:
            return
        stamp = self.source.stamp()
        if stamp == self._stamp:
            return
        if stamp is None:
            if self.state is not FileState.MISSING:
                self._stamp = None
                self._reading = None
                with self._lock:
                    self._set(state=FileState.MISSING, message=_missing_message(self.source))
            return
        grows = self._stamp is not None and self._stamp.may_continue_as(stamp)
        if not (grows and self.state is FileState.PARTIAL):
            self._reading = None
        self.start()

    def reload(self) -> None:
        """Decode anew (after Cancel: go on)."""
        if self.state is not FileState.CANCELLED:
            self._reading = None
        self.start()

    def wait(self, *, level: int | None = None, seconds: float | None = None) -> bool:
        """Wait until a level is ready (None: all of them) or no thread works on it any more.

        Returns:
            Whether the level is ready, or with None whether the file is complete.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._thread is None or self._is_reached(level), timeout=seconds
            )
            return self._is_reached(level)

    def _is_reached(self, level: int | None) -> bool:
        if level is None:
            return self._now.state is FileState.READY
        return self.levels_ready >= level or self._now.state is FileState.READY

    def _set(self, **changes: object) -> None:
        """Replace the progress; the caller holds the lock."""
        self._now = replace(self._now, **changes)
        self._version += 1
        self._changed.notify_all()

    def _run(self) -> None:
        """Thread: read, and end in a state with a message; never with an exception."""
        ending: dict[str, object]
        try:
            with self._slots:
                ending = self._read()
        except FileNotFoundError:
            ending = {"state": FileState.MISSING, "message": _missing_message(self.source)}
        except TruncatedError as error:
            ending = {"state": FileState.PARTIAL, "message": str(error)}
        except PcgsError as error:
            ending = {"state": FileState.DAMAGED, "message": self._damage(str(error))}
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            text = f"cannot be read ({reason}); check the disk and the file's permissions"
            ending = {"state": FileState.DAMAGED, "message": text}
        except MemoryError:
            text = "not enough memory to decode it; close other files, or export a lower level"
            ending = {"state": FileState.DAMAGED, "message": text}
        except Exception as error:  # edge of a thread: nobody above could be told
            log.error("decoding %s failed", self.source.identity, exc_info=True)
            text = f"unexpected fault ({error}); report it with the file (see Blender's console)"
            ending = {"state": FileState.DAMAGED, "message": text}
        with self._lock:
            self._thread = None
            self._set(**ending)

    def _read(self) -> dict[str, object]:
        if self._cancel.is_set():
            return {"state": FileState.CANCELLED, "message": "stopped; Reload goes on"}
        self._stamp = self.source.stamp()
        with self._lock:
            self._set(state=FileState.DECODING, message="")
        if self._reading is None:
            self._reading = reading_of(self.source)
            self._fresh = True
        reading = self._reading
        sink = Sink(
            cancelled=self._cancel.is_set,
            on_info=self._take_info,
            on_thumbnail=self._take_thumbnail,
            on_level=self._take_level,
            on_progress=self._take_share,
        )
        try:
            reading.advance(sink)
        except PcgsError:
            self._reading = None  # a decoder that failed stays failed
            raise
        if self._cancel.is_set():
            return {"state": FileState.CANCELLED, "message": "stopped; Reload goes on"}
        if reading.shortage:
            return {"state": FileState.PARTIAL, "message": reading.shortage}
        self._reading = None  # frees the decoder: all its levels are handed out
        return {"state": FileState.READY, "message": "", "share": 1.0}

    def _take_info(self, info: FileInfo) -> None:
        with self._lock:
            self._set(info=info, levels=len(info.levels))

    def _take_thumbnail(self, data: bytes) -> None:
        with self._lock:
            self._set(thumbnail=data)

    def _take_share(self, share: float) -> None:
        # No new version: progress alone is asked for by a timer.
        with self._lock:
            self._now = replace(self._now, share=share)

    def _take_level(self, level: int, cloud: SplatCloud) -> None:
        with self._lock:
            now = self._now
            fresh, self._fresh = self._fresh, False
            generation = next(self._generations) if fresh else now.generation
            # Levels of the content before stay shown until the first of the new one is here.
            clouds, bounds = ((), ()) if fresh else (now.clouds, now.bounds)
            key = (self.source.identity, generation, level)
            levels = self._reading.levels if self._reading else now.levels
            self._set(
                generation=generation,
                levels=levels,
                clouds=(*clouds, LevelCloud(level=level, cloud=cloud, key=key)),
                bounds=(*bounds, _bounds_of(cloud)),
            )

    def _damage(self, text: str) -> str:
        ready = self.levels_ready
        if not ready:
            return text
        return f"{text}; levels up to {ready} are shown, fetch the file again for the rest"


def _missing_message(source: ByteSource) -> str:
    return f"{source.identity} is not there; use Find File"


def _bounds_of(cloud: SplatCloud) -> Bounds:
    if not len(cloud):
        zero = np.zeros(3, np.float32)
        return Bounds(low=zero, high=zero)
    return Bounds(low=cloud.means.min(axis=0), high=cloud.means.max(axis=0))
