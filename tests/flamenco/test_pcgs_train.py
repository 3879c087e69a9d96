"""The Flamenco job type, compiled by Node.js: its command lines are ones that our CLI takes."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pcgs_engine.bitstream import MAGIC
from pcgs_engine.cli.main import build_parser
from pcgs_engine.sample import sample_path

ROOT = Path(__file__).resolve().parents[2]
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="no Node.js to run the job type with")

FLAMENCO_TYPES = {"string", "int32", "float", "bool"}
FLAMENCO_SUBTYPES = {"file_path", "dir_path", "file_name", "hashed_file_path"}


def compiled(**settings):
    script = Path(__file__).with_name("compile_job.mjs")
    done = subprocess.run(
        [NODE, str(script), str(ROOT / "flamenco" / "pcgs_train.js"), json.dumps(settings)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def arguments(job):
    return {task["name"]: task["commands"][0]["parameters"]["args"] for task in job["tasks"]}


@pytest.fixture
def folders(tmp_path):
    return {"images": str(tmp_path / "photos"), "result": str(tmp_path / "splats" / "scene.pcgs")}


def test_settings_are_of_kinds_that_flamenco_knows():
    for setting in compiled(images="/a", result="/b.pcgs")["type"]["settings"]:
        assert setting["type"] in FLAMENCO_TYPES
        assert setting.get("subtype", "file_path") in FLAMENCO_SUBTYPES
        assert setting.get("required") or "default" in setting
        assert setting["key"] == "pcgs" or setting["description"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"iterations": 500, "max_size": 640, "levels": 4, "time_limit": 12.5},
        {"preset": "preview", "device": "cpu", "measure": False},
    ],
)
def test_every_command_line_is_taken(folders, changes):
    job = compiled(**folders, **changes)
    lines = arguments(job)
    assert list(lines) == ["train", "encode"]
    for line in lines.values():
        assert build_parser().parse_args(line).command == line[0]
    train = build_parser().parse_args(lines["train"])
    assert train.resume
    assert train.scene == Path(folders["images"])
    assert train.iterations == changes.get("iterations")
    assert train.time_limit == changes.get("time_limit")
    encode = build_parser().parse_args(lines["encode"])
    assert encode.run_folder == train.out
    assert encode.out == Path(folders["result"])
    assert encode.no_quality == (not changes.get("measure", True))


def test_tasks_wait_for_one_another(folders):
    tasks = compiled(**folders)["tasks"]
    assert [task["dependencies"] for task in tasks] == [[], ["train"]]
    assert all(task["commands"][0]["name"] == "exec" for task in tasks)


def test_the_job_makes_a_file(tmp_path):
    pytest.importorskip("torch")
    result = tmp_path / "scene.pcgs"
    job = compiled(
        images=str(sample_path()), result=str(result), preset="preview", device="cpu",
        iterations=30, max_size=64, levels=2,
    )  # fmt: skip
    for line in arguments(job).values():
        subprocess.run([sys.executable, "-m", "pcgs_engine", *line], check=True, cwd=ROOT)
    assert result.read_bytes().startswith(MAGIC)
