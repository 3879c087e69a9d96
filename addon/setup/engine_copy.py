"""The engine that goes into the environment: the one the add-on carries, never another version."""

import shutil
from pathlib import Path

import pcgs_engine

__all__ = ["copy_engine", "engine_wheel"]


def engine_wheel() -> Path | None:
    """Return the wheel in the extension's folder; None in a source checkout."""
    wheels = Path(__file__).parent.parent / "wheels"
    return next(wheels.glob(f"pcgs_engine-{pcgs_engine.__version__}-*.whl"), None)


def copy_engine(environment: Path) -> None:
    """Copy the package that is loaded into an environment's site-packages."""
    package = Path(pcgs_engine.__file__).parent
    site = next(environment.glob("[Ll]ib*/**/site-packages"))
    ignored = shutil.ignore_patterns("__pycache__", "lib_sanitized")
    shutil.copytree(package, site / package.name, ignore=ignored)
