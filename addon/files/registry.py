"""SplatFiles: every splat file of the session, once each. Sources in, `SplatFile` out.

Key: absolute path or digest of packed bytes. A path whose file changes is decoded anew in place
(its `CloudKey`s change), so that objects need not be told.
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from .byte_source import ByteSource, DiskSource, PackedSource, packed_digest
from .splat_file import SplatFile

__all__ = ["SplatFiles", "splat_files"]

DECODED_AT_ONCE = 2
"""The decoder's native half uses all cores by itself; more files at once only cost memory."""
LOOK_SECONDS = 1.0
"""Between two looks at the same path."""


class SplatFiles:
    """The files in use."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._slots = threading.Semaphore(DECODED_AT_ONCE)
        self._generations = itertools.count(1)
        self._files: dict[str, SplatFile] = {}
        self._looked: dict[str, float] = {}

    def __len__(self) -> int:
        """How many files are held."""
        return len(self._files)

    def __iter__(self) -> Iterator[SplatFile]:
        """All files held."""
        return iter(tuple(self._files.values()))

    @property
    def version(self) -> int:
        """Changes whenever a file does, or one comes or goes."""
        return hash(tuple((key, file.version) for key, file in self._files.items()))

    def open_path(self, path: Path) -> SplatFile:
        """Return the file at an absolute path, decoding started; looks again once a second."""
        return self._open(str(path), lambda: DiskSource(path))

    def open_packed(self, digest: str, data: Callable[[], bytes]) -> SplatFile:
        """Return the file of packed bytes; `data` is asked only where the digest is new."""
        return self._open(f"packed:{digest}", lambda: _packed(data()))

    def find(self, identity: str) -> SplatFile | None:
        """Return a file that is held, without opening it."""
        return self._files.get(identity)

    def keep_only(self, identities: set[str]) -> int:
        """Forget all other files and stop their threads; returns how many went."""
        gone = [key for key in self._files if key not in identities]
        for key in gone:
            self._files.pop(key).cancel()
            self._looked.pop(key, None)
        return len(gone)

    def refresh(self) -> None:
        """Look at every file that was not looked at within the last second."""
        for key, file in tuple(self._files.items()):
            self._look(key, file)

    def clear(self) -> None:
        """Forget everything, and wait for the threads."""
        files = tuple(self._files.values())
        self.keep_only(set())
        for file in files:
            file.close()

    def _open(self, key: str, make: Callable[[], ByteSource]) -> SplatFile:
        file = self._files.get(key)
        if file is None:
            source = make()
            file = self._files[key] = SplatFile(source, self._slots, self._generations)
            self._looked[key] = self._clock()
            file.start()
        else:
            self._look(key, file)
        return file

    def _look(self, key: str, file: SplatFile) -> None:
        now = self._clock()
        if now - self._looked[key] >= LOOK_SECONDS:
            self._looked[key] = now
            file.refresh()


def _packed(data: bytes) -> PackedSource:
    return PackedSource(data, packed_digest(data))


splat_files = SplatFiles()
"""The one registry of a Blender session; `unregister` clears it."""
