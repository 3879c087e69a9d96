"""How far a set-up is, written by its thread and read by the interface."""

import collections
import enum
from dataclasses import dataclass, field

__all__ = ["SetupState", "Step"]

LOG_LINES = 200


class Step(enum.Enum):
    """Steps in their order, then the three ends; values are words for the progress bar."""

    MAKING = "Making the environment"
    FETCHING = "Downloading"
    INSTALLING = "Installing"
    CHECKING = "Checking"
    DONE = "Set up"
    CANCELLED = "Cancelled"
    FAILED = "Set-up failed"

    @property
    def running(self) -> bool:
        """Whether something is at work."""
        return self not in (Step.DONE, Step.CANCELLED, Step.FAILED)


@dataclass(slots=True)
class SetupState:
    """Replaced field by field; each is complete in itself, so readers need no lock."""

    step: Step = Step.MAKING
    subject: str = ""
    """What the step is at, for example a package."""
    share: float = 0.0
    """Of the whole set-up, 0 to 1."""
    done_bytes: int = 0
    total_bytes: int = 0
    """Of this step; 0: it is not counted in bytes."""
    error: str = ""
    log: collections.deque[str] = field(default_factory=lambda: collections.deque(maxlen=LOG_LINES))
    """The last lines of the programs that were run."""
