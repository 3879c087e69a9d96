"""The engine's process and its messages: real processes, no training."""

import sys
import time
from pathlib import Path

import pytest

from addon.engine.job_state import exit_reason
from addon.engine.messages import parse_message
from addon.engine.process import EngineProcess, EngineStartError, Exited
from addon.engine.script_task import ScriptError, run_script
from pcgs_engine import protocol


def run_to_end(process, seconds=60):
    taken = []
    end = time.monotonic() + seconds
    while not (taken and isinstance(taken[-1], Exited)):
        assert time.monotonic() < end, (taken, process.log)
        taken += process.take()
        time.sleep(0.02)
    return taken


def script(tmp_path, text):
    path = tmp_path / "script.py"
    path.write_text(text)
    return path


def test_message_line_round_trip():
    message = protocol.Saved(what="checkpoint", path="/a b/ü")
    assert parse_message(protocol.message_line(message)) == message


@pytest.mark.parametrize(
    "line",
    ["", "warning: x", "[]", "{}", '{"type": "unheard of"}', '{"type": "saved", "what": "x"}'],
)
def test_message_line_of_another_kind_is_none(line):
    assert parse_message(line) is None


def test_message_with_more_fields_of_a_newer_engine_is_taken():
    line = '{"type": "status", "text": "hello", "colour": "red"}'
    assert parse_message(line) == protocol.Status(text="hello")


def test_process_bad_arguments_give_error_message_and_status(tmp_path):
    process = EngineProcess(Path(sys.executable), ["train", "--progress", "json"], own_site=True)
    *messages, exited = run_to_end(process)
    assert exited.code == 2
    assert isinstance(messages[-1], protocol.ErrorMessage)


def test_process_uses_the_addons_engine_where_there_is_no_other(tmp_path):
    out = tmp_path / "where"
    text = (
        f"import pcgs_engine, pathlib; pathlib.Path({str(out)!r}).write_text(pcgs_engine.__file__)"
    )
    process = EngineProcess(
        Path(sys.executable), ["--script", str(script(tmp_path, text))], own_site=False
    )
    assert run_to_end(process)[-1] == Exited(code=0)
    import pcgs_engine

    assert Path(out.read_text()).samefile(pcgs_engine.__file__)


def test_process_log_keeps_the_last_lines(tmp_path):
    text = "import sys\nfor i in range(1000): print(i, file=sys.stderr)"
    process = EngineProcess(
        Path(sys.executable), ["--script", str(script(tmp_path, text))], own_site=True
    )
    run_to_end(process)
    assert process.log[-1] == "999"
    assert len(process.log) == 200


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_process_that_sleeps_ends_when_asked(tmp_path, way):
    text = "import time, sys; print('up', file=sys.stderr)\ntime.sleep(1000)"
    process = EngineProcess(
        Path(sys.executable), ["--script", str(script(tmp_path, text))], own_site=True
    )
    while not process.log:
        time.sleep(0.02)
    getattr(process, way)()
    assert run_to_end(process)[-1].code != 0


def test_process_that_cannot_be_started_says_so(tmp_path):
    with pytest.raises(EngineStartError, match="choose another Engine Python"):
        EngineProcess(tmp_path / "none", [], own_site=True)


def test_script_answer_is_the_last_line(tmp_path):
    path = script(tmp_path, "print('noise')\nprint('{\"a\": 1}')")
    assert run_script(Path(sys.executable), path, own_site=True, timeout=60) == {"a": 1}


def test_script_that_fails_tells_its_last_log_line(tmp_path):
    path = script(tmp_path, "raise ValueError('bad luck')")
    with pytest.raises(ScriptError, match="bad luck"):
        run_script(Path(sys.executable), path, own_site=True, timeout=60)


def test_script_that_hangs_is_ended_and_told(tmp_path):
    path = script(tmp_path, "import time\ntime.sleep(1000)")
    with pytest.raises(ScriptError, match="within 1 seconds"):
        run_script(Path(sys.executable), path, own_site=True, timeout=1)


@pytest.mark.parametrize(
    ("code", "checkpoint", "parts"),
    [
        (-9, True, ("SIGKILL", "memory runs out", "Resume")),
        (-11, True, ("SIGSEGV", "Resume")),
        (-9, False, ("before its first checkpoint", "Train")),
        (1, True, ("exit status 1", "Resume")),
    ],
)
def test_exit_reason_names_cause_and_next_step(code, checkpoint, parts):
    told = exit_reason(code, checkpoint=checkpoint)
    assert all(part in told for part in parts)
