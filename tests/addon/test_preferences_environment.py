"""Which Python runs the engine, and what is said where none can."""

import stat
import sys
from pathlib import Path

import pytest

from addon import paths
from addon.engine.environment import candidates, check_candidates, environment_python
from addon.engine.registry import engine_registry
from addon.preferences import DefaultPreferences, preferences


def test_preferences_without_enabled_addon_have_same_fields(blender):
    settings = blender.context.preferences.addons["addon"].preferences
    for name in DefaultPreferences.__slots__:
        assert getattr(settings, name) == getattr(DefaultPreferences(), name)
    blender.ops.preferences.addon_disable(module="addon")
    assert isinstance(preferences(), DefaultPreferences)
    blender.ops.preferences.addon_enable(module="addon")


def test_candidates_chosen_python_is_the_only_one(tmp_path):
    found = candidates("/opt/engine/bin/python", tmp_path)
    assert [c.python for c in found] == [Path("/opt/engine/bin/python")]
    assert found[0].chosen


def test_candidates_chosen_environment_folder_gives_its_python(tmp_path):
    assert candidates(str(tmp_path), tmp_path)[0].python == environment_python(tmp_path)


def test_candidates_private_environment_comes_before_blenders_python(tmp_path):
    python = environment_python(tmp_path / "engine")
    python.parent.mkdir(parents=True)
    python.touch()
    assert [c.python for c in candidates("", tmp_path / "engine")] == [python, Path(sys.executable)]


def test_candidates_without_private_environment_are_blenders_python(tmp_path):
    assert [c.python for c in candidates("", tmp_path)] == [Path(sys.executable)]


def test_check_missing_python_names_it_and_the_next_step(tmp_path):
    report = check_candidates(candidates(str(tmp_path / "none"), tmp_path))
    assert not report.usable
    assert str(tmp_path / "none") in report.problem
    assert "preferences" in report.problem


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for the program")
def test_check_program_that_is_no_python_is_told(tmp_path):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho nonsense\nexit 3\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    report = check_candidates(candidates(str(program), tmp_path))
    assert "exit status 3" in report.problem


def test_check_python_without_torch_says_what_training_needs(tmp_path):
    report = check_candidates(candidates("", tmp_path))
    if report.usable:
        pytest.skip("this Python can train")
    assert "no engine environment" in report.problem
    assert "preferences" in report.problem


def test_check_engine_of_another_version_is_told(engine_python, monkeypatch, tmp_path):
    monkeypatch.setattr("addon.engine.environment.engine_version", "9.9.9")
    report = check_candidates(candidates(engine_python, tmp_path))
    assert not report.usable
    assert "this add-on needs 9.9.9" in report.problem
    assert "pip install" in report.problem


def test_check_operator_working_engine_shows_versions(engine, blender):
    assert blender.ops.pcgs.check_engine() == {"FINISHED"}
    report = engine_registry.report
    assert report.usable
    assert report.torch
    assert report.device


def test_check_operator_missing_engine_reports_a_warning(blender, preferences, capfd):
    preferences.engine_python = "/nowhere/python"
    assert blender.ops.pcgs.check_engine() == {"CANCELLED"}
    assert "does not exist" in capfd.readouterr().out


def test_report_changed_preference_is_forgotten(engine, blender):
    blender.ops.pcgs.check_engine()
    engine.engine_python = ""
    assert engine_registry.report is None


def test_runs_folder_saved_file_lies_beside_it(blender, tmp_path):
    images = tmp_path / "photos of a chair"
    assert paths.runs_folder(images, str(tmp_path / "cache")).parent == tmp_path / "cache" / "runs"
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "chair.blend"))
    assert paths.runs_folder(images, "").parent == tmp_path / "chair_pcgs"


def test_runs_folder_of_two_folders_of_one_name_differ(tmp_path):
    first = paths.runs_folder(tmp_path / "a" / "images", str(tmp_path))
    assert first != paths.runs_folder(tmp_path / "b" / "images", str(tmp_path))


def test_new_run_folder_taken_numbers_are_skipped(tmp_path):
    images = tmp_path / "images"
    first = paths.new_run_folder(images, str(tmp_path))
    first.mkdir(parents=True)
    assert paths.new_run_folder(images, str(tmp_path)) != first
