"""Blender itself is killed while it trains: the engine must not outlive it, nor lose the run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from addon.engine.run_folder import read_run

REPOSITORY = Path(__file__).resolve().parents[2]
SECONDS = 240
HOST = """
import sys, time
import bpy
bpy.ops.preferences.addon_enable(module="addon")
from addon.engine.registry import engine_registry
from addon.engine.requests import start_job
from addon.engine.session import step
settings = bpy.context.preferences.addons["addon"].preferences
settings.engine_python, settings.cache_folder = sys.argv[1:]
settings.device, settings.threads = "cpu", 2
bpy.ops.pcgs.use_sample()
scene = bpy.context.scene.pcgs
scene.iterations, scene.max_size = 100_000, 80
job = start_job(bpy.context)
while not (job.state.progress and job.state.progress.iteration > 1):
    step()
    assert job.running, job.state.error
    time.sleep(0.02)
print("training", job.engine_pid, job.settings.run, flush=True)
time.sleep(1000)
"""


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks for the process in /proc")
def test_engine_ends_with_a_checkpoint_when_blender_is_killed(engine_python, tmp_path):
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "BLENDER_USER_RESOURCES": str(tmp_path / "user"),
    }
    command = [sys.executable, "-c", HOST, engine_python, str(tmp_path / "cache")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as host:
        words = next((line.split() for line in host.stdout if line.startswith("training")), None)
        assert words is not None, "the host ended early"
        host.send_signal(signal.SIGKILL)
    pid, run = int(words[1]), Path(words[2])
    end = time.monotonic() + SECONDS
    while is_running(pid):
        assert time.monotonic() < end, "the engine outlived Blender"
        time.sleep(0.1)
    state = read_run(run)
    assert state.resumable
    assert state.progress.iteration > 1
