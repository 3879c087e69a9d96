"""Training as a job: to the end, paused, cancelled, resumed, killed, and with bad settings."""

import os
import signal
import time
from pathlib import Path

import pytest

from addon.engine import session
from addon.engine.job_state import Stage
from addon.engine.registry import engine_registry
from addon.engine.requests import start_job
from addon.engine.run_folder import CHECKPOINT, read_run
from pcgs_engine.codec.inspect import inspect_file

ITERATIONS = 60
WAIT_SECONDS = 240


@pytest.fixture
def scene(engine, blender):
    """A scene set up for a training that takes seconds."""
    blender.ops.pcgs.use_sample()
    settings = blender.context.scene.pcgs
    settings.iterations = ITERATIONS
    settings.max_size = 80
    yield blender.context.scene
    session.engine_registry.abandon_job()


def run_until(job, condition):
    """Poll as the timer does until a condition holds; returns the longest poll in CPU seconds.

    Not in seconds of the wall: the engine and other tests keep all processors busy.
    """
    end = time.monotonic() + WAIT_SECONDS
    longest = 0.0
    while not condition():
        assert time.monotonic() < end, f"waited too long, job is {job.state}"
        start = time.thread_time()
        session.step()
        longest = max(longest, time.thread_time() - start)
        time.sleep(0.02)
    return longest


def trained_steps(job, at_least=2):
    progress = job.state.progress
    return progress is not None and progress.iteration >= at_least


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


@pytest.mark.slow
def test_train_operator_waits_and_leaves_a_file_with_levels(scene, blender):
    assert blender.ops.pcgs.train() == {"FINISHED"}
    job = engine_registry.job
    assert job.state.stage is Stage.DONE
    assert [level.level for level in job.state.levels] == [1, 2, 3]
    assert job.state.held_out_psnr > 12
    assert len(job.state.curve) > 1
    run = engine_registry.run
    assert Path(scene.pcgs.run_folder) == run.folder
    assert not run.resumable
    told = [(level.level, level.bytes, level.splats) for level in job.state.levels]
    table = [(level.level, level.bytes, level.splats) for level in inspect_file(run.result).levels]
    assert told == table
    assert [level.psnr for level in run.levels] == pytest.approx(
        [level.psnr for level in job.state.levels], abs=1e-4
    )
    shown = [obj for obj in blender.data.objects if obj.pcgs.is_splats]
    assert [Path(obj.pcgs.filepath) for obj in shown] == [run.result]


@pytest.mark.slow
def test_job_polled_shows_progress_preview_and_never_stalls(scene, blender):
    scene.pcgs.preview_seconds = 1
    job = start_job(blender.context)
    longest = run_until(job, lambda: not job.running)
    assert job.state.stage is Stage.DONE, job.state.error
    assert longest < 0.05
    # The object of the previews became that of the result.
    shown = [obj for obj in blender.data.objects if obj.pcgs.is_splats]
    assert [Path(obj.pcgs.filepath) for obj in shown] == [job.settings.result]
    assert shown[0].name == "sample"


@pytest.mark.slow
def test_pause_saves_a_checkpoint_and_resume_goes_on_from_it(scene, blender):
    scene.pcgs.iterations = 100_000
    job = start_job(blender.context)
    run_until(job, lambda: trained_steps(job))
    assert blender.ops.pcgs.pause() == {"FINISHED"}
    assert job.state.stopping
    run_until(job, lambda: not job.running)
    assert job.state.stage is Stage.PAUSED
    assert (job.settings.run / CHECKPOINT).is_file()
    run = engine_registry.run
    assert run.resumable
    reached = run.progress.iteration
    again = start_job(blender.context, run)
    assert again.settings.run == job.settings.run
    assert again.state.progress.iteration == reached
    run_until(again, lambda: again.state.progress.iteration > reached)
    again.cancel()
    run_until(again, lambda: not again.running)
    assert again.state.stage is Stage.CANCELLED


@pytest.mark.slow
def test_kill_by_the_system_is_told_and_resume_finishes(scene, blender):
    job = start_job(blender.context)
    scene.pcgs.iterations = 400
    run_until(job, lambda: trained_steps(job))
    job.pause()
    run_until(job, lambda: not job.running)
    second = start_job(blender.context, engine_registry.run)
    run_until(second, lambda: second.engine_pid is not None)
    os.kill(second.engine_pid, signal.SIGKILL)
    run_until(second, lambda: not second.running)
    assert second.state.stage is Stage.FAILED
    assert "SIGKILL" in second.state.error
    assert "Resume" in second.state.error
    assert engine_registry.run.resumable
    assert blender.ops.pcgs.resume() == {"FINISHED"}
    assert engine_registry.job.state.stage is Stage.DONE


def test_kill_before_the_first_checkpoint_is_told(scene, blender):
    job = start_job(blender.context)
    run_until(job, lambda: job.engine_pid is not None)
    os.kill(job.engine_pid, signal.SIGKILL)
    run_until(job, lambda: not job.running)
    assert "before its first checkpoint; press Train" in job.state.error
    assert not blender.ops.pcgs.resume.poll()


def test_cancel_while_the_engine_starts_ends_it(scene, blender):
    job = start_job(blender.context)
    run_until(job, lambda: job.engine_pid is not None)
    pid = job.engine_pid
    blender.ops.pcgs.cancel()
    run_until(job, lambda: not job.running)
    assert job.state.stage is Stage.CANCELLED
    assert not is_alive(pid)


def test_cancel_twice_ends_the_engine_at_once(scene, blender):
    job = start_job(blender.context)
    run_until(job, lambda: job.engine_pid is not None)
    blender.ops.pcgs.cancel()
    blender.ops.pcgs.cancel()
    run_until(job, lambda: not job.running)
    assert job.state.stage is Stage.CANCELLED


@pytest.mark.slow
def test_loading_a_file_stops_the_job_and_resume_is_offered(scene, blender, tmp_path):
    file = str(tmp_path / "work.blend")
    blender.ops.wm.save_as_mainfile(filepath=file)
    scene.pcgs.iterations = 100_000
    job = start_job(blender.context)
    run_until(job, lambda: trained_steps(job))
    blender.ops.wm.save_mainfile()
    pid = job.engine_pid
    blender.ops.wm.open_mainfile(filepath=file)
    assert engine_registry.job is None
    run_until(job, lambda: engine_registry.leaving is None)
    assert not is_alive(pid)
    assert (job.settings.run / CHECKPOINT).is_file()
    assert engine_registry.run.resumable
    assert engine_registry.run.folder == job.settings.run
    assert job.settings.run.is_relative_to(tmp_path / "work_pcgs")


@pytest.mark.slow
def test_unregister_ends_the_engine_with_a_checkpoint(scene, blender):
    scene.pcgs.iterations = 100_000
    job = start_job(blender.context)
    run_until(job, lambda: trained_steps(job))
    pid = job.engine_pid
    blender.ops.preferences.addon_disable(module="addon")
    wait_for_end(pid)
    assert read_run(job.settings.run).resumable
    blender.ops.preferences.addon_enable(module="addon")


def wait_for_end(pid):
    end = time.monotonic() + WAIT_SECONDS
    while is_alive(pid):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_unfinished_run_of_the_images_is_found_without_the_scene_knowing(scene, blender):
    job = start_job(blender.context)
    run_until(job, lambda: trained_steps(job, at_least=1))
    job.pause()
    run_until(job, lambda: not job.running)
    scene.pcgs.run_folder = ""  # a crash before the .blend was saved
    assert blender.ops.pcgs.scan_images() == {"FINISHED"}
    assert engine_registry.run.folder == job.settings.run
    assert blender.ops.pcgs.resume.poll()


def test_train_without_engine_tells_the_next_step(preferences, blender, capfd):
    preferences.engine_python = "/nowhere/python"
    blender.ops.pcgs.use_sample()
    assert blender.ops.pcgs.train() == {"CANCELLED"}
    assert engine_registry.job.state.stage is Stage.FAILED
    assert "preferences" in engine_registry.job.state.error
    assert "/nowhere/python does not exist" in capfd.readouterr().out


def test_train_without_folder_is_refused_with_the_reason(blender):
    assert not blender.ops.pcgs.train.poll()
    with pytest.raises(RuntimeError, match="step 1"):
        blender.ops.pcgs.train()


def test_train_wrong_folder_tells_what_was_wanted(engine, blender, tmp_path):
    blender.context.scene.pcgs.image_folder = str(tmp_path)
    assert blender.ops.pcgs.train() == {"CANCELLED"}
    assert "transforms.json" in engine_registry.job.state.error


def test_train_run_folder_that_cannot_be_made_is_told(scene, preferences, blender, tmp_path):
    (tmp_path / "file").write_text("in the way")
    preferences.cache_folder = str(tmp_path / "file")
    preferences.engine_python = preferences.engine_python
    assert blender.ops.pcgs.train() == {"CANCELLED"}
    assert "not a directory" in engine_registry.job.state.error


def test_second_train_is_refused_while_one_runs(scene, blender):
    job = start_job(blender.context)
    assert not blender.ops.pcgs.train.poll()
    assert not blender.ops.pcgs.resume.poll()
    job.cancel()
    run_until(job, lambda: not job.running)
