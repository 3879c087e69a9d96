"""The end of a job as an operator tells it: a finished job in, report and result set out."""

import bpy

from ..engine.job import TrainingJob
from ..engine.job_state import Stage
from ..engine.session import finish_job

__all__ = ["report_end"]


def report_end(operator: bpy.types.Operator, job: TrainingJob) -> set[str]:
    """Bring a job that was waited for into the scene; report; return the operator's result."""
    finish_job()
    state = job.state
    if state.stage is Stage.DONE:
        operator.report({"INFO"}, f"Saved {job.settings.result}")
        return {"FINISHED"}
    if state.stage is Stage.FAILED:
        # A warning, not an error: scripts get {"CANCELLED"} and not an exception.
        operator.report({"WARNING"}, state.error)
    else:
        where = job.settings.run
        operator.report({"INFO"}, f"{state.stage.value}: Resume goes on from {where}")
    return {"CANCELLED"}
