"""Set Up, Cancel and Remove as a user meets them: refusals, what is drawn, and the real thing."""

import contextlib
import sys
import types
from pathlib import Path

import pytest
from sample_files import wait_until
from setup_wheels import real_wheels

from addon import ids
from addon.engine.environment import environment_python
from addon.engine.registry import engine_registry
from addon.objects.file_of_object import file_of_object
from addon.operators.set_up_engine import DIALOG_WIDTH
from addon.panels import setup_section
from addon.paths import engine_environment
from addon.setup import requests as setup_requests
from addon.setup import session as setup_session
from addon.setup import torch_build, wheel_source
from addon.setup.engine_lock import locked_packages
from addon.setup.machine import Driver, this_machine
from addon.setup.plan import SetupPlan
from addon.setup.registry import setup_registry
from addon.setup.requests import plan_setup
from addon.setup.setup_state import SetupState, Step
from addon.setup.torch_build import TorchBuild
from pcgs_engine import __version__

GPU = Driver(gpu="NVIDIA Test", version="590.1")


class Layout:
    """Takes what UILayout takes; sub-layouts write into the same lists."""

    def __init__(self, texts, buttons):
        self.texts, self.buttons = texts, buttons

    def label(self, *, text="", icon="NONE"):
        self.texts.append(text)

    def progress(self, *, factor, type, text):
        assert 0.0 <= factor <= 1.0
        self.texts.append(text)

    def operator(self, name, *, text="", icon="NONE"):
        self.buttons.append(name)

    def prop(self, data, name, **_):
        assert hasattr(data, name)

    def _same(self, **_):
        return Layout(self.texts, self.buttons)

    row = column = box = _same


def drawn(function, *arguments):
    layout = Layout([], [])
    function(layout, *arguments)
    return " ".join(layout.texts), layout.buttons


@pytest.fixture
def job(blender):
    """A set-up of which only the state is used."""
    state = SetupState()
    setup_registry.job = types.SimpleNamespace(
        running=True, state=state, progress_text="Downloading torch: 1 of 2 MB",
        cancel=lambda: setattr(state, "subject", "cancelled"), wait=lambda *_: None,
    )  # fmt: skip
    yield setup_registry.job
    setup_registry.job = None


def refusal(operator, **options):
    with pytest.raises(RuntimeError) as caught:
        operator(**options)
    return str(caught.value)


def test_set_up_offline_is_refused_with_both_ways_out(blender, preferences):
    if blender.app.online_access:
        pytest.skip("this Blender may use the network")
    told = refusal(blender.ops.pcgs.set_up_engine)
    assert "Allow Online Access" in told
    assert "Wheel Folder" in told
    assert not Path(preferences.cache_folder).exists()


def test_set_up_from_an_empty_folder_names_what_is_missing(blender, preferences, tmp_path):
    preferences.wheel_folder = str(tmp_path)
    told = refusal(blender.ops.pcgs.set_up_engine)
    assert "numba-" in told
    assert "put them there" in told


def test_set_up_without_venv_is_refused(blender, preferences, monkeypatch):
    monkeypatch.setattr(setup_requests, "python_fault", lambda: "Blender's Python lacks venv")
    assert "lacks venv" in refusal(blender.ops.pcgs.set_up_engine)


def test_set_up_and_remove_wait_for_each_other(blender, preferences, job):
    assert "being set up" in refusal(blender.ops.pcgs.set_up_engine)
    assert "being set up" in refusal(blender.ops.pcgs.remove_engine)
    assert blender.ops.pcgs.cancel_setup() == {"FINISHED"}
    assert job.state.subject == "cancelled"


def test_cancel_needs_a_running_set_up(blender):
    assert "No set-up is running" in refusal(blender.ops.pcgs.cancel_setup)


def test_remove_needs_an_environment_and_deletes_it(blender, preferences):
    assert "No training engine was set up" in refusal(blender.ops.pcgs.remove_engine)
    folder = engine_environment(preferences.cache_folder)
    folder.mkdir(parents=True)
    (folder.with_name("engine.part") / "wheels").mkdir(parents=True)
    assert blender.ops.pcgs.remove_engine() == {"FINISHED"}
    assert not folder.exists()
    wait_until(lambda: not list(folder.parent.iterdir()))


def test_disabling_the_addon_cancels_a_running_set_up(blender, job):
    blender.ops.preferences.addon_disable(module="addon")
    blender.ops.preferences.addon_enable(module="addon")
    assert job.state.subject == "cancelled"
    assert setup_registry.job is None


def test_dialog_says_size_folder_source_and_what_is_not_checked(blender, preferences, monkeypatch):
    preferences.package_index = "https://index.test/simple"
    plan = plan_setup(blender.context, TorchBuild.CPU, None)
    assert isinstance(plan, SetupPlan)
    texts, _ = drawn(setup_section.draw_plan, blender.context, plan, DIALOG_WIDTH)
    assert "Downloads " in texts
    assert "and torch" in texts  # its size is not known yet
    assert "disk space" in texts
    assert "+cpu cannot be checked" in texts


@pytest.fixture
def own_wheels(monkeypatch, tmp_path):
    """The folder that an engine zip brings, with the CPU build for this Python."""
    folder = tmp_path / "engine_wheels"
    folder.mkdir()
    for module in (setup_requests, torch_build, wheel_source):
        monkeypatch.setattr(module, "OWN_WHEELS", folder)
    locked = {package.name: package for package in locked_packages(this_machine())}
    for package in locked.values():
        if package.name != "torch" and not package.cuda_only:
            (folder / package.files[0]).touch()
    tag = "cp" + this_machine().python.replace(".", "")
    torch = folder / f"torch-{locked['torch'].version}+cpu-{tag}-{tag}-linux_x86_64.whl"
    torch.write_bytes(b"torch")
    return folder


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="torch's CPU build is Linux's")
def test_wheels_that_came_with_the_addon_are_taken_by_themselves(
    blender, preferences, own_wheels, tmp_path
):
    plan = plan_setup(blender.context, TorchBuild.AUTO, GPU)
    assert (plan.source.folder, plan.problem, plan.download_bytes) == (own_wheels, "", 0)
    texts, _ = drawn(setup_section.draw_plan, blender.context, plan, DIALOG_WIDTH)
    assert "from the add-on's own wheel folder, without the network" in texts
    assert "choose NVIDIA GPU to download" in texts
    preferences.wheel_folder = str(tmp_path)  # the user's own choice comes first
    assert plan_setup(blender.context, TorchBuild.AUTO, None).source.folder == tmp_path


def test_what_the_addons_wheels_lack_is_downloaded(blender, preferences, own_wheels):
    assert plan_setup(blender.context, TorchBuild.CUDA, GPU).source.folder is None
    next(own_wheels.glob("numba-*")).unlink()  # as if they were for another Python
    assert plan_setup(blender.context, TorchBuild.CPU, None).source.folder is None


def test_dialog_with_gpu_says_what_gsplat_needs(blender, preferences):
    plan = plan_setup(blender.context, TorchBuild.AUTO, GPU)
    assert isinstance(plan, SetupPlan)
    texts, _ = drawn(setup_section.draw_plan, blender.context, plan, DIALOG_WIDTH)
    assert "GB" in texts
    assert "nvcc" in texts


def test_preferences_show_progress_then_failure_with_log(blender, preferences, job):
    show = (setup_section.draw_setup, blender.context, preferences)
    texts, buttons = drawn(*show)
    assert "1 of 2 MB" in texts
    assert ids.CANCEL_SETUP in buttons
    job.running, job.state.step, job.state.error = False, Step.FAILED, "the disk is full"
    job.state.log.append("a line of pip")
    texts, buttons = drawn(*show)
    assert "The disk is full" in texts
    assert "a line of pip" in texts
    assert {ids.SET_UP_ENGINE, ids.REMOVE_ENGINE} <= set(buttons)
    assert ids.CANCEL_SETUP not in buttons


def test_sidebar_offers_set_up_and_shows_it_at_work(blender, preferences, job):
    show = (setup_section.draw_setup_button, blender.context)
    assert drawn(*show)[1] == [ids.CANCEL_SETUP]
    setup_registry.job = None
    assert drawn(*show)[1] == [ids.SET_UP_ENGINE]


def test_finished_set_up_is_checked_by_the_timer(blender, preferences, job, monkeypatch):
    """What the timer does; it does not run in background mode."""
    checked = []
    monkeypatch.setattr(
        setup_session, "start_check", lambda context, *, self_test: checked.append(self_test)
    )
    monkeypatch.setattr(setup_session, "redraw", lambda: None)
    monkeypatch.setattr(setup_session, "redraw_status_bar", lambda: None)
    assert setup_session._tick() == setup_session.SECONDS
    job.running, job.state.step = False, Step.DONE
    assert setup_session._tick() is None
    assert checked == [True]


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.timeout(1800)  # two minutes where nothing else runs
def test_set_up_from_wheels_trains_the_sample_and_is_removed(blender, preferences):
    """Issue 6: from an offline wheel folder to a trained scene on the slider, by operators only."""
    preferences.wheel_folder = str(real_wheels())
    preferences.cache_folder = str(Path(preferences.cache_folder) / "a path with späces")
    assert blender.ops.pcgs.set_up_engine() == {"FINISHED"}
    folder = engine_environment(preferences.cache_folder)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert blender.ops.pcgs.check_engine() == {"FINISHED"}
    report = engine_registry.report
    assert report.candidate.python == environment_python(folder)
    assert report.engine == __version__
    assert "ms a picture" in report.speed
    blender.ops.pcgs.use_sample()
    scene = blender.context.scene.pcgs
    scene.iterations, scene.max_size = 60, 80
    assert blender.ops.pcgs.train() == {"FINISHED"}
    job = engine_registry.job
    assert job.report.candidate.python == environment_python(folder)
    blender.ops.pcgs.show_result()
    obj = blender.context.object
    file = file_of_object(obj)
    assert file.path == job.settings.result
    wait_until(lambda: file.levels_ready == 3)
    for level in range(4):
        obj.pcgs.level = level
        assert obj.pcgs.level == level
        assert (file.cloud(level) is None) == (level == 0)
    assert blender.ops.pcgs.remove_engine() == {"FINISHED"}
    assert not folder.exists()
    with contextlib.suppress(RuntimeError):  # without an engine it reports a warning
        blender.ops.pcgs.check_engine()
    assert engine_registry.report.candidate.source != "private environment"
