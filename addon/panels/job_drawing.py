"""A job as the panel shows it: progress, figures, curve, buttons, and how it ended."""

import bpy

from pcgs_engine.cli.console import duration
from pcgs_engine.protocol import Progress

from .. import ids
from ..engine.job import TrainingJob
from ..engine.job_state import JobState, Stage
from ..engine.registry import engine_registry
from .path_row import draw_path
from .sparkline import sparkline
from .text_lines import draw_lines, draw_text

__all__ = ["draw_job", "draw_unfinished_run"]

LOG_LINES = 8
"""Last lines of the engine's log shown after a failure."""


def draw_job(layout: bpy.types.UILayout, context: bpy.types.Context, job: TrainingJob) -> None:
    """Draw a running job, or how the last one ended."""
    state = job.state
    # The bar stays at the end: a label that takes its place under a resting pointer would be
    # drawn as a bar until the pointer moves.
    layout.progress(factor=state.share, type="BAR", text=_bar_text(state))
    _draw_figures(layout, state)
    if job.running:
        _draw_status(layout, context, state)
        row = layout.row(align=True)
        paused = row.row(align=True)
        paused.enabled = not state.stopping
        paused.operator(ids.PAUSE, icon="PAUSE")
        text = "End Now" if state.stopping else "Cancel"
        row.operator(ids.CANCEL, text=text, icon="CANCEL")
    elif state.stage is Stage.FAILED:
        draw_text(layout, context, state.error, icon="ERROR")
        _draw_log(layout, context, job)


def draw_unfinished_run(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw the run that Resume goes on with, and where it lies."""
    run = engine_registry.run
    if run is None or not run.resumable:
        return
    box = layout.box()
    progress = run.progress
    reached = _step(progress) if progress else "its start"
    quality = "" if run.psnr is None else f", {run.psnr:.1f} dB"
    draw_text(box, context, f"Unfinished run at {reached}{quality}", icon="RECOVER_LAST")
    draw_path(box, run.folder)
    box.operator(ids.RESUME, icon="PLAY")


def _bar_text(state: JobState) -> str:
    if state.stopping:
        return "Saving a checkpoint..."
    progress = state.progress
    if state.stage is Stage.TRAINING and progress is not None:
        return _step(progress).capitalize()
    if state.stage.running:
        return f"{state.stage.value}..."
    if state.stage is Stage.DONE or progress is None:
        return state.stage.value
    return f"{state.stage.value} at {_step(progress)}"


def _step(progress: Progress) -> str:
    return f"step {progress.iteration:,} of {progress.total:,}"


def _draw_figures(layout: bpy.types.UILayout, state: JobState) -> None:
    progress = state.progress
    if progress is None:
        return
    column = layout.column(align=True)
    held_out = "" if state.held_out_psnr is None else f", held out {state.held_out_psnr:.2f} dB"
    column.label(text=f"PSNR {progress.psnr or 0.0:.2f} dB{held_out}", icon="IMAGE_DATA")
    if len(state.curve) > 1:
        column.label(text=sparkline([psnr for _, psnr in state.curve]), icon="GRAPH")
    column.label(text=f"{progress.gaussians:,} splats in view", icon="OUTLINER_DATA_POINTCLOUD")
    if state.stage is Stage.TRAINING:
        left = f"{duration(progress.eta_seconds or 0.0)} left"
        left += f", {progress.memory_mb or 0:,.0f} MB of memory"
        column.label(text=left, icon="TIME")


def _draw_status(layout: bpy.types.UILayout, context: bpy.types.Context, state: JobState) -> None:
    if state.status:
        draw_text(layout, context, state.status, icon="INFO")
    for text in state.warnings:
        draw_text(layout, context, text, icon="ERROR")


def _draw_log(layout: bpy.types.UILayout, context: bpy.types.Context, job: TrainingJob) -> None:
    lines = job.log[-LOG_LINES:]
    if not lines:
        return
    box = layout.box()
    box.label(text="Log", icon="TEXT")
    for line in lines:
        draw_lines(box, context, line)
