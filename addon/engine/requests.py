"""Blender's settings in, started checks, scans and jobs in the registry out. Main thread only."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import bpy

from ..paths import engine_environment, new_run_folder, result_file, runs_folder
from ..preferences import preferences, thread_count
from .environment import Candidate, EnvironmentReport, candidates, check_candidates
from .job import TrainingJob
from .process import EngineStartError
from .registry import engine_registry
from .run_folder import RunState, find_unfinished_run, read_run
from .scene_scan import ScanAnswer, scan_images
from .script_task import ScriptError, Task
from .self_test import with_self_test
from .train_settings import TrainSettings

__all__ = ["image_folder", "refresh_run", "start_check", "start_job", "start_scan"]


def image_folder(scene: bpy.types.Scene) -> Path | None:
    """Return the absolute image folder of a scene; None where none is set."""
    text = scene.pcgs.image_folder
    return Path(bpy.path.abspath(text)) if text else None


def start_check(context: bpy.types.Context, *, self_test: bool = False) -> Task[EnvironmentReport]:
    """Check the engine's environment anew, and also whether and how fast it works."""
    pythons = _candidates(context)
    wanted = preferences(context)
    device, threads = wanted.device, thread_count(wanted.threads)

    def check() -> EnvironmentReport:
        report = check_candidates(pythons)
        if not self_test or not report.usable:
            return report
        return with_self_test(report, device=device, threads=threads)

    engine_registry.check = Task(check)
    return engine_registry.check


def start_scan(context: bpy.types.Context, folder: Path) -> Task[ScanAnswer]:
    """Read an image folder."""
    engine_registry.forget_scan()
    check = _checker(context)

    def scan() -> ScanAnswer:
        report = check()
        if not report.usable:
            return ScanAnswer(report=report, error=report.problem)
        candidate = report.candidate
        try:
            found = scan_images(folder, candidate.python, own_site=candidate.chosen)
        except (EngineStartError, ScriptError) as error:
            return ScanAnswer(report=report, error=str(error))
        return ScanAnswer(report=report, scan=found)

    engine_registry.scan_task = Task(scan)
    return engine_registry.scan_task


def start_job(context: bpy.types.Context, resumed: RunState | None = None) -> TrainingJob:
    """Start a training of the context's scene, anew or from a run's checkpoint."""
    scene = context.scene
    settings = _settings(context, resumed)
    scene.pcgs.run_folder = str(settings.run)
    engine_registry.shown_preview = -1
    engine_registry.job = TrainingJob(
        settings, _checker(context), scene_name=scene.name, resumed=resumed
    )
    return engine_registry.job


def refresh_run(scene: bpy.types.Scene) -> None:
    """Look at the scene's run folder, or for an unfinished run of its images."""
    run = scene.pcgs.run_folder
    state = read_run(Path(bpy.path.abspath(run))) if run else None
    images = image_folder(scene)
    if state is None and images is not None:
        state = find_unfinished_run(runs_folder(images, preferences().cache_folder), images)
    engine_registry.run = state


def _candidates(context: bpy.types.Context) -> tuple[Candidate, ...]:
    wanted = preferences(context)
    python = bpy.path.abspath(wanted.engine_python) if wanted.engine_python else ""
    return candidates(python, engine_environment(wanted.cache_folder))


def _checker(context: bpy.types.Context) -> Callable[[], EnvironmentReport]:
    """Return a function for a thread: the last check's good report, or that of a new check."""
    known = engine_registry.report
    if known is not None and known.usable:
        return lambda: known
    pythons = _candidates(context)
    return lambda: check_candidates(pythons)


def _settings(context: bpy.types.Context, resumed: RunState | None) -> TrainSettings:
    wanted, own = preferences(context), context.scene.pcgs
    images = Path(resumed.images) if resumed else image_folder(context.scene)
    if images is None:
        raise AssertionError("the operators' poll asks for an image folder")
    run = resumed.folder if resumed else new_run_folder(images, wanted.cache_folder)
    names = {field.name for field in dataclasses.fields(TrainSettings)}
    chosen = {name: getattr(own, name) for name in names & set(own.bl_rna.properties.keys())}
    if not own.preview:
        chosen["preview_seconds"] = 0.0
    return TrainSettings(
        **chosen,
        images=images,
        run=run,
        result=result_file(run, images),
        device=wanted.device,
        threads=thread_count(wanted.threads),
    )
