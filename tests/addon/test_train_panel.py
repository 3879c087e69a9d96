"""What the sidebar shows in each state: its texts and buttons, recorded by a stand-in layout."""

import types

import pytest

from addon import ids
from addon.engine.environment import Candidate, EnvironmentReport
from addon.engine.job import TrainingJob
from addon.engine.job_state import Stage
from addon.engine.registry import engine_registry
from addon.engine.train_settings import TrainSettings
from addon.panels import engine_panel, train_panel
from addon.panels.sparkline import sparkline
from addon.panels.text_lines import wrapped
from pcgs_engine import protocol


class Layout:
    """Takes what UILayout takes; sub-layouts write into the same lists."""

    def __init__(self, texts=None, buttons=None):
        self.texts = [] if texts is None else texts
        self.buttons = [] if buttons is None else buttons

    def label(self, *, text="", icon="NONE"):
        self.texts.append(text)

    def progress(self, *, factor, type, text):
        assert 0.0 <= factor <= 1.0
        self.texts.append(text)

    def operator(self, name, *, text="", icon="NONE"):
        self.buttons.append(name)
        return types.SimpleNamespace()

    def prop(self, data, name, **_):
        assert hasattr(data, name)

    def _same(self, **_):
        return Layout(self.texts, self.buttons)

    row = column = box = grid_flow = _same


def drawn(panel, context):
    """What a panel shows: all texts as one string, and its buttons."""
    layout = Layout()
    panel.draw(types.SimpleNamespace(layout=layout), context)
    return " ".join(layout.texts), layout.buttons


@pytest.fixture
def job(blender, tmp_path):
    """A job of which only the state is used: its check never answers."""
    settings = TrainSettings(images=tmp_path, run=tmp_path, result=tmp_path / "x.pcgs")
    made = TrainingJob(settings, lambda: None, scene_name="Scene")
    made.state.stage = Stage.TRAINING
    engine_registry.job = made
    yield made
    engine_registry.job = None


def progress_at(iteration):
    return protocol.Progress(
        iteration=iteration,
        total=1000,
        loss=0.1,
        psnr=20.0 + iteration / 100,
        bits_per_anchor=0.0,
        anchors=10,
        gaussians=12_345,
        eta_seconds=75.0,
        memory_mb=512.0,
    )


def test_images_without_folder_offer_the_sample(blender):
    texts, buttons = drawn(train_panel.PCGS_PT_images, blender.context)
    assert "transforms.json" in texts
    assert buttons == [ids.USE_SAMPLE]


def test_images_with_error_show_it_whole_and_offer_another_look(blender, tmp_path):
    blender.context.scene.pcgs.image_folder = str(tmp_path)
    engine_registry.scan_error = "a rather long message " * 8
    texts, buttons = drawn(train_panel.PCGS_PT_images, blender.context)
    assert texts.lower().split() == engine_registry.scan_error.split()
    assert texts.startswith("A rather")
    assert buttons == [ids.SCAN_IMAGES]


def test_engine_that_is_missing_is_told_once_above_the_steps(blender, tmp_path):
    candidate = Candidate(python=tmp_path / "python", source="preferences", chosen=True)
    panel = engine_panel.PCGS_PT_engine
    assert not panel.poll(blender.context)
    engine_registry.report = EnvironmentReport(candidate=candidate, problem="no engine; get one")
    blender.context.scene.pcgs.image_folder = str(tmp_path)
    assert panel.poll(blender.context)
    texts, buttons = drawn(panel, blender.context)
    assert "No engine; get one" in texts
    assert {"preferences.addon_show", ids.CHECK_ENGINE} <= set(buttons)
    assert "no training engine" in drawn(train_panel.PCGS_PT_images, blender.context)[0]
    engine_registry.report = EnvironmentReport(candidate=candidate)
    assert not panel.poll(blender.context)


def test_train_running_shows_figures_curve_and_both_buttons(job, blender):
    for iteration in (100, 200, 300):
        job.state.apply(progress_at(iteration))
    job.state.apply(protocol.Evaluated(iteration=300, psnr=21.5, seconds=9.0))
    texts, buttons = drawn(train_panel.PCGS_PT_train, blender.context)
    for part in (
        "Step 300 of 1,000",
        "23.00 dB",
        "21.50",
        "12,345 splats",
        "1 min 15 s",
        "512 MB",
        "▁",
    ):
        assert part in texts
    assert buttons == [ids.PAUSE, ids.CANCEL]


def test_train_failed_shows_reason_log_and_train(job, blender):
    job.state.stage = Stage.FAILED
    job.state.error = "memory ran out; use a smaller image size"
    job._log = ("first line", "last line")
    texts, buttons = drawn(train_panel.PCGS_PT_train, blender.context)
    assert "Memory ran out" in texts
    assert "first line last line" in texts
    assert buttons == [ids.TRAIN]


@pytest.mark.parametrize("stage", list(Stage))
def test_train_every_stage_can_be_drawn_without_progress(job, blender, stage):
    job.state.stage = stage
    texts, buttons = drawn(train_panel.PCGS_PT_train, blender.context)
    assert stage.value in texts
    assert (ids.TRAIN in buttons) != stage.running


def test_state_not_finite_psnr_is_left_out_of_the_curve(job):
    line = protocol.message_line(progress_at(100)).replace("21.0", "null")
    from addon.engine.messages import parse_message

    job.state.apply(parse_message(line))
    assert job.state.curve == []


def test_state_long_curve_is_thinned_and_keeps_its_ends(job):
    for iteration in range(5000):
        job.state.apply(progress_at(iteration))
    assert len(job.state.curve) <= 512
    assert job.state.curve[0][0] == 0
    assert job.state.curve[-1][0] == 4999


def test_settings_are_locked_while_a_job_runs(job, blender):
    layout = Layout()
    train_panel.PCGS_PT_settings.draw(types.SimpleNamespace(layout=layout), blender.context)
    assert layout.enabled is False


@pytest.mark.parametrize(
    ("values", "line"),
    [([], ""), ([5.0], "▁"), ([1.0, 1.0], "▁▁"), ([0.0, 7.0], "▁█"), ([7.0, 0.0, 3.0], "█▁▄")],
)
def test_sparkline_scales_lowest_to_highest(values, line):
    assert sparkline(values) == line


def test_sparkline_many_values_keep_the_width():
    line = sparkline([float(value) for value in range(1000)], width=10)
    assert len(line) == 10
    assert line[0] == "▁"
    assert line[-1] == "█"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("one two", ["one two"]),
        ("one two three", ["one two", "three"]),
        ("a /very/long/path b", ["a", "/very/lo", "ng/path", "b"]),
    ],
)
def test_text_is_broken_at_spaces_and_long_words_anywhere(text, lines):
    assert wrapped(text, 8, len) == lines
