"""Which Python draws where there is no GPU: preferences in, a checked engine out."""

from dataclasses import dataclass

import bpy

from ..engine.environment import Candidate, candidates, check_candidates
from ..engine.registry import engine_registry
from ..paths import engine_environment
from ..preferences import preferences, thread_count
from .splat_pictures import PictureError

__all__ = ["EnginePython", "engine_python"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnginePython:
    """What `cpu_pictures` runs."""

    candidate: Candidate
    threads: int


def engine_python() -> EnginePython:
    """Return the engine to use; the first call of a session checks it, which takes seconds.

    Raises:
        PictureError: none works; the message says why and what to do.
    """
    wanted = preferences()
    report = engine_registry.report
    if report is None or not report.usable:
        chosen = bpy.path.abspath(wanted.engine_python) if wanted.engine_python else ""
        report = check_candidates(candidates(chosen, engine_environment(wanted.cache_folder)))
        if not report.usable:
            raise PictureError(f"without a GPU the engine draws the splats, but {report.problem}")
        engine_registry.report = report
    return EnginePython(candidate=report.candidate, threads=thread_count(wanted.threads))
