"""What the add-on knows of the engine in this session, in one place; cleared on unregister.

Kept here and not in properties: it changes ten times a second, and undo must not turn it back.
"""

from collections.abc import Callable

import bpy

from .environment import EnvironmentReport
from .job import TrainingJob
from .run_folder import RunState
from .scene_scan import ScanAnswer, SceneScan
from .script_task import Task

__all__ = ["EngineRegistry", "engine_registry"]


class EngineRegistry:
    """At most one job, one check and one scan at a time."""

    def __init__(self) -> None:
        self.report: EnvironmentReport | None = None
        """Of the last check; None where the preferences have changed since."""
        self.check: Task[EnvironmentReport] | None = None
        self.scan: SceneScan | None = None
        """Of the image folder that is set now."""
        self.scan_error = ""
        self.scan_task: Task[ScanAnswer] | None = None
        self.job: TrainingJob | None = None
        """The running or the last one."""
        self.leaving: TrainingJob | None = None
        """A job that was left while it still writes its checkpoint."""
        self.run: RunState | None = None
        """What the run folder of the scene held when it was last looked at."""
        self.shown_preview = -1
        """Iteration of the preview that the viewport shows."""

        self.on_folder: Callable[[bpy.types.Scene], None] | None = None
        """Set by session.py while registered: what to do when an image folder was chosen."""
        self.on_engine: Callable[[], None] | None = None
        """Likewise: when another engine was chosen."""

    @property
    def running_job(self) -> TrainingJob | None:
        """The job at work."""
        return self.job if self.job is not None and self.job.running else None

    @property
    def busy(self) -> bool:
        """Whether anything needs polling."""
        tasks = (self.check, self.scan_task)
        jobs = (self.running_job, self.leaving)
        return any(at_work is not None for at_work in (*jobs, *tasks))

    def forget_report(self) -> None:
        """The settings it was made with have changed."""
        self.report = None
        if self.on_engine is not None:
            self.on_engine()

    def forget_scan(self) -> None:
        """What was found in the last image folder does not hold any more."""
        self.scan, self.scan_error, self.run = None, "", None

    def folder_changed(self, scene: bpy.types.Scene) -> None:
        """Another image folder was chosen in a scene."""
        self.forget_scan()
        if self.on_folder is not None:
            self.on_folder(scene)

    def abandon_job(self) -> None:
        """Let the engine end by itself: nobody is there any more to take its messages."""
        if self.running_job is not None:
            self.running_job.abandon()
            self.leaving = self.running_job
        self.job = None

    def clear(self) -> None:
        """Forget everything; running processes end with a checkpoint."""
        self.abandon_job()
        fresh = EngineRegistry()
        self.__dict__.update(fresh.__dict__)


engine_registry = EngineRegistry()
