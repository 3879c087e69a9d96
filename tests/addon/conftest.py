"""Fixtures of the add-on's tests: bpy with a user folder of its own, the add-on enabled.

Tests here need the `bpy` wheel; where it is absent they are skipped, pure Python ones included,
as the package cannot be imported without it. `PCGS_ENGINE_PYTHON` names the Python of an engine
environment; without it tests that train or scan are skipped.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

# Before the first import of bpy: the user's own settings are neither read nor changed.
USER_FOLDER = tempfile.mkdtemp(prefix="pcgs-blender-")
os.environ["BLENDER_USER_RESOURCES"] = USER_FOLDER

try:
    import bpy
except ImportError:
    bpy = None
    collect_ignore_glob = ["test_*.py"]

_exit = {"status": 0}


def pytest_sessionfinish(session, exitstatus):
    _exit["status"] = int(exitstatus)


def pytest_unconfigure(config):
    # bpy's own clean-up at exit can crash (4.2) or hang (4.5) once the GPU has been used.
    if bpy is not None and not hasattr(config, "workerinput"):
        shutil.rmtree(USER_FOLDER, ignore_errors=True)
        session = Path(bpy.app.tempdir)
        if session.name.startswith("blender_"):  # never the temporary folder itself
            shutil.rmtree(session, ignore_errors=True)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_exit["status"])


@pytest.fixture
def blender():
    """An empty .blend with the add-on enabled; disabled again afterwards."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module="addon")
    yield bpy
    bpy.ops.preferences.addon_disable(module="addon")


@pytest.fixture
def preferences(blender, tmp_path):
    """The add-on's preferences with a fresh cache folder."""
    settings = blender.context.preferences.addons["addon"].preferences
    settings.cache_folder = str(tmp_path / "cache")
    settings.device = "cpu"
    settings.threads = 2
    return settings


@pytest.fixture(scope="session")
def engine_python():
    """Python of an engine environment."""
    python = os.environ.get("PCGS_ENGINE_PYTHON", "")
    if not Path(python).is_file():
        pytest.skip("PCGS_ENGINE_PYTHON names no Python of an engine environment")
    return python


@pytest.fixture(scope="session")
def engine_report(engine_python):
    """What a check of that environment finds; checking takes seconds, so it is done once."""
    from addon.engine.environment import candidates, check_candidates

    report = check_candidates(candidates(engine_python, Path()))
    assert report.usable, report.problem
    return report


@pytest.fixture
def engine(preferences, engine_report):
    """Preferences that name a working engine, checked already."""
    from addon.engine.registry import engine_registry

    preferences.engine_python = str(engine_report.candidate.python)
    engine_registry.report = engine_report
    return preferences
