"""What the Blender tests need: the zip, an engine's Python, Blenders; each skips with its reason.

PCGS_BLENDER_GUI is the folder with `trixie` and `sid` (gui/setup_blender.sh), PCGS_ENGINE_PYTHON a
Python with the engine's `train` extra, PCGS_ADDON_ZIP a zip to test instead of building one,
PCGS_SCREENSHOTS the folder that the pictures go to. `nox -s blender` sets all of them.
"""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from bpy_process import BpyUser

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))
sys.path.insert(0, str(Path(__file__).parent))


class FailedSteps:
    """Which session (fixture value) stopped at which step."""

    def __init__(self) -> None:
        self.step_of: dict[str, str] = {}


FAILED = pytest.StashKey[FailedSteps]()


def session_of(item: pytest.Item) -> str | None:
    """Name of the Blender that a step of a journey runs in; None where tests stand alone."""
    if item.get_closest_marker("journey") is None:
        return None
    return f"{item.path.name}[{item.callspec.id if hasattr(item, 'callspec') else ''}]"


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FAILED] = FailedSteps()
    config.addinivalue_line("markers", "journey: steps of one session; one failure ends it")


def pytest_runtest_setup(item: pytest.Item) -> None:
    session = session_of(item)
    failed = item.config.stash[FAILED].step_of.get(session or "")
    if failed:
        pytest.skip(f"an earlier step of this session failed: {failed}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    session = session_of(item)
    if session is not None and report.failed:
        item.config.stash[FAILED].step_of.setdefault(session, item.name)
    return report


@pytest.fixture(scope="session")
def addon_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension zip for this machine."""
    given = os.environ.get("PCGS_ADDON_ZIP")
    if given:
        return Path(given)
    import build_addon

    output = tmp_path_factory.mktemp("dist")
    if build_addon.main(["--platform", "host", "--output", str(output)]) != 0:
        pytest.fail("build_addon.py failed, see above")
    return next(output.glob("*-viewer.zip"))


@pytest.fixture(scope="session")
def newer_addon_zip(addon_zip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a higher version, of the engine's wheel as well."""
    from changed_zips import newer_zip

    return newer_zip(addon_zip, tmp_path_factory.mktemp("newer"))


@pytest.fixture
def user(tmp_path: Path) -> "BpyUser":
    """A user of the bpy module; skips where this Python has none."""
    from bpy_process import HAS_BPY, BpyUser

    if not HAS_BPY:
        pytest.skip("this Python has no bpy")
    return BpyUser(tmp_path / "Zoë und die Vögel 鳥")


@pytest.fixture(scope="session")
def engine_python() -> Path:
    """A Python that can train."""
    given = os.environ.get("PCGS_ENGINE_PYTHON")
    if not given:
        pytest.skip("PCGS_ENGINE_PYTHON names no Python with the engine's train extra")
    return Path(given)


@pytest.fixture(scope="session")
def engine_folders(engine_python: Path) -> list[Path]:
    """Folders a process needs to see to run the engine's Python."""
    program = "import json, sys; print(json.dumps([sys.prefix, sys.base_prefix]))"
    done = subprocess.run([engine_python, "-c", program], capture_output=True, check=True)
    folders = [Path(folder) for folder in json.loads(done.stdout)]
    if not {Path("/"), Path("/usr")}.isdisjoint(folders):
        pytest.skip(f"{engine_python} is the system's Python: another Debian cannot use it")
    return folders


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the pictures."""
    given = os.environ.get("PCGS_SCREENSHOTS")
    return Path(given) if given else tmp_path_factory.mktemp("screenshots")
