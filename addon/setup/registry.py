"""The set-up of this session, in one place; no property, because undo must not turn it back."""

from .setup_job import SetupJob

__all__ = ["SetupRegistry", "setup_registry"]


class SetupRegistry:
    """At most one set-up."""

    def __init__(self) -> None:
        self.job: SetupJob | None = None
        """The running or the last one."""

    @property
    def running_job(self) -> SetupJob | None:
        """The set-up at work."""
        return self.job if self.job is not None and self.job.running else None


setup_registry = SetupRegistry()
