"""FileState: how far a splat file has come. Shown as a badge, asked by tests."""

import enum

__all__ = ["FileState"]


class FileState(enum.Enum):
    """Where a `SplatFile` stands; levels that are ready are shown in every one of them."""

    WAITING = "waiting"
    """In the queue, nothing read yet."""
    DECODING = "decoding"
    """A thread works on it."""
    READY = "ready"
    """Everything the file holds is decoded."""
    PARTIAL = "partial"
    """The file ends early: a download in progress, or cut off. Goes on when the file grows."""
    DAMAGED = "damaged"
    """Cannot be decoded, or not to its end; the message says why and what to do."""
    MISSING = "missing"
    """No file at that path."""
    CANCELLED = "cancelled"
    """The user stopped it; Reload goes on."""

    @property
    def working(self) -> bool:
        """Whether a thread has the file or will take it."""
        return self in (FileState.WAITING, FileState.DECODING)
