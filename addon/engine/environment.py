"""Which Python runs the engine, and whether it can: preferences in, a report out.

The Python is only ever asked through a subprocess; nothing of it is imported into Blender.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from pcgs_engine import __version__ as engine_version

from .process import EngineStartError
from .script_task import ScriptError, run_script

__all__ = [
    "Candidate",
    "EnvironmentReport",
    "candidates",
    "check_candidates",
    "environment_python",
]

PROBE = Path(__file__).with_name("probe_engine.py")
PROBE_SECONDS = 180.0
"""The first import of torch from a cold disk takes a minute on slow machines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A Python that may run the engine."""

    python: Path
    source: str
    """Where it comes from, in words."""
    chosen: bool
    """Whether the user named it in the preferences: then no other one is tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentReport:
    """What a check found."""

    candidate: Candidate
    python_version: str = ""
    engine: str = ""
    """Version of `pcgs_engine` that would run."""
    torch: str = ""
    device: str = ""
    """The GPU's name, or "CPU (reason)"."""
    speed: str = ""
    """What the self-test measured; empty where none was made."""
    problem: str = ""
    """Why it cannot train, and the next step; empty where it can."""

    @property
    def usable(self) -> bool:
        """Whether training can start."""
        return not self.problem


def environment_python(folder: Path) -> Path:
    """Return the Python inside a virtual environment."""
    inside = "Scripts/python.exe" if sys.platform == "win32" else "bin/python"
    return folder / inside


def candidates(engine_python: str, private_environment: Path) -> tuple[Candidate, ...]:
    """Return the Pythons to try, best first.

    Args:
        engine_python: absolute path from the preferences, a program or an environment's folder;
            empty: find one.
        private_environment: the environment in the add-on's cache folder.
    """
    if engine_python:
        chosen = Path(engine_python)
        python = environment_python(chosen) if chosen.is_dir() else chosen
        return (Candidate(python=python, source="preferences", chosen=True),)
    found = []
    private = environment_python(private_environment)
    if private.is_file():
        found.append(Candidate(python=private, source="private environment", chosen=False))
    own = Path(sys.executable)
    found.append(Candidate(python=own, source="Blender's own Python", chosen=False))
    return tuple(found)


def check_candidates(pythons: tuple[Candidate, ...]) -> EnvironmentReport:
    """Return the report of the first usable one, else that of the best one. Takes seconds."""
    reports = []
    for candidate in pythons:
        report = _check(candidate)
        if report.usable:
            return report
        reports.append(report)
    return reports[0]


def _check(candidate: Candidate) -> EnvironmentReport:
    advice = "choose an Engine Python in the add-on's preferences"
    if not candidate.python.is_file():
        return EnvironmentReport(
            candidate=candidate, problem=f"{candidate.python} does not exist; {advice}"
        )
    try:
        answer = run_script(
            candidate.python, PROBE, own_site=candidate.chosen, timeout=PROBE_SECONDS
        )
    except (EngineStartError, ScriptError) as error:
        return EnvironmentReport(candidate=candidate, problem=f"{error}; {advice}")
    found, missing = answer["found"], answer["missing"]
    if not isinstance(found, dict) or not isinstance(missing, dict):
        return EnvironmentReport(candidate=candidate, problem=f"no answer; {advice}")
    return EnvironmentReport(
        candidate=candidate,
        python_version=str(answer["python"]),
        engine=str(found.get("pcgs_engine", "")),
        torch=str(found.get("torch", "")),
        device=str(answer["device"]),
        problem=_problem(candidate, found, missing),
    )


def _problem(candidate: Candidate, found: dict[str, str], missing: dict[str, str]) -> str:
    install = (
        f"run in the folder of PCGS {engine_version}: {candidate.python} -m pip install '.[train]'"
    )
    if not candidate.chosen:
        install = "set the training engine up again"
    if "torch" in missing and not candidate.chosen:
        return (
            "no engine environment: training needs torch and others, which Set Up installs; or "
            "choose a Python that has them as Engine Python in the add-on's preferences"
        )
    if missing:
        names = ", ".join(sorted(missing))
        return f"{names} cannot be imported ({next(iter(missing.values()))}); {install}"
    if found["pcgs_engine"] != engine_version:
        return (
            f"the environment holds engine {found['pcgs_engine']}, this add-on needs "
            f"{engine_version}; {install}"
        )
    return ""
