"""torchac's compilation: what a killed process left behind must not stop the next one."""

import subprocess
import sys

import pytest
from filelock import FileLock

from pcgs_engine.entropy.torchac_library import torchac_build_dir

LOAD = (
    "from pcgs_engine.entropy import torchac_library as library\n"
    "library.LONGEST_WAIT = {wait}\n"
    "print(library.load_torchac().__name__)\n"
)


def load_elsewhere(wait):
    """Load torchac in a process of its own that waits at most `wait` seconds for others."""
    program = LOAD.format(wait=wait)
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )


@pytest.mark.usefixtures("torchac")
def test_load_after_killed_compilation_does_not_wait_for_it():
    mark = torchac_build_dir() / "torchac_backend" / "lock"
    mark.touch()
    try:
        done = load_elsewhere(wait=60)
    finally:
        mark.unlink(missing_ok=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "torchac"


@pytest.mark.usefixtures("torchac")
def test_load_while_another_compiles_says_so_in_time():
    with FileLock(torchac_build_dir() / "pcgs.lock"):
        done = load_elsewhere(wait=0.2)
    assert done.returncode == 1
    assert "DeviceError: torchac does not load here (another process" in done.stderr
    assert "--entropy-backend native" in done.stderr
