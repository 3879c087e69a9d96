"""A set-up at work: to its end, refused, cancelled, interrupted; real venv and pip, tiny wheels."""

import contextlib
import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter, namedtuple
from pathlib import Path

import pytest
from setup_wheels import lock_line, write_wheel

from addon.setup import child, setup_job
from addon.setup.engine_lock import LockedPackage, locked_packages
from addon.setup.environment_folder import (
    EnvironmentBusyError,
    InstalledNote,
    PartFolder,
    discard_environment,
    read_note,
)
from addon.setup.machine import blender_python, this_machine
from addon.setup.pip_failure import pip_failure
from addon.setup.plan import SetupPlan
from addon.setup.setup_job import SetupJob
from addon.setup.setup_state import Step
from addon.setup.torch_build import BuildChoice, UncheckedWheel
from addon.setup.wheel_source import WheelSource

WAIT_SECONDS = 120
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def wheels(tmp_path):
    """A folder with two packages."""
    folder = tmp_path / "wheels with a space"
    for name in ("torch", "numba"):
        write_wheel(folder, name, "1.0")
    return folder


@pytest.fixture
def probe(monkeypatch, tmp_path):
    """Let the check be satisfied with the tiny packages; returns its script."""
    script = tmp_path / "probe.py"
    script.write_text("import torch, numba\nprint('{\"missing\": {}}')\n")
    monkeypatch.setattr(setup_job, "PROBE", script)
    return script


@pytest.fixture
def before(tmp_path):
    """An environment that was set up before; a failure must leave it as it is."""
    folder = tmp_path / "cäche" / "engine"
    folder.mkdir(parents=True)
    (folder / "keep").touch()
    return folder


def packages(wheels, **hashes) -> tuple[LockedPackage, ...]:
    lock = wheels.with_name("engine.lock")
    lines = [lock_line(w, sha256=hashes.get(w.stem.split("-")[0], "")) for w in wheels.glob("*")]
    lock.write_text("".join(lines))
    return locked_packages(this_machine(), lock)


def start(environment, locked, source, unchecked=(), run_before=None) -> SetupJob:
    return SetupJob(
        SetupPlan(
            machine=this_machine(),
            build=BuildChoice(cuda=False, packages=tuple(locked), unchecked=tuple(unchecked)),
            source=source,
            environment=environment,
            blender_python=blender_python(),
            notes=(),
            problem="",
        )
    )


def finished(job: SetupJob) -> SetupJob:
    job.wait(WAIT_SECONDS)
    assert not job.running
    return job


def wait_for(condition):
    end = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def children_in(folder: Path) -> list[int]:
    """Processes that name a folder: venv's and pip's own children do as well."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(folder).encode() in (process / "cmdline").read_bytes():
                found.append(int(process.name))
    return found


def test_folder_of_wheels_becomes_an_environment(wheels, before, probe):
    job = finished(start(before, packages(wheels), WheelSource(folder=wheels)))
    assert (job.state.step, job.state.error) == (Step.DONE, "")
    assert not (before / "keep").exists()
    assert {path.name for path in before.parent.iterdir()} == {"engine"}
    program = "import torch, numba, pcgs_engine; print(torch.__version__, torch.__file__)"
    python = before / "bin" / "python"
    done = subprocess.run([python, "-I", "-c", program], capture_output=True, text=True)
    assert done.stdout.startswith(f"1.0 {before}"), done.stderr
    assert all(path.name.startswith("python") for path in (before / "bin").iterdir())
    assert read_note(before).unchecked == ()
    assert job.state.share == 1.0


@pytest.mark.parametrize("damage", ["other hash", "truncated file"])
def test_wheel_that_is_not_the_locked_one_is_refused(wheels, before, probe, damage):
    locked = packages(wheels, **({"numba": "0" * 64} if damage == "other hash" else {}))
    if damage == "truncated file":
        path = next(wheels.glob("numba*"))
        path.write_bytes(path.read_bytes()[:-20])
    job = finished(start(before, locked, WheelSource(folder=wheels)))
    assert job.state.step is Step.FAILED
    assert "a file of numba is not the one the add-on was made with" in job.state.error
    assert (before / "keep").exists()
    assert {path.name for path in before.parent.iterdir()} == {"engine"}


def test_environment_that_cannot_train_is_not_put_in_place(wheels, before, probe):
    probe.write_text('print(\'{"missing": {"torch": "ImportError: no DLL"}}\')\n')
    job = finished(start(before, packages(wheels), WheelSource(folder=wheels)))
    assert job.state.step is Step.FAILED
    assert "cannot train: ImportError: no DLL" in job.state.error
    assert (before / "keep").exists()


def test_disk_that_is_too_small_for_the_files_is_told(wheels, before, monkeypatch):
    monkeypatch.setattr(setup_job.shutil, "disk_usage", lambda _: Usage(10, 0, 10))
    job = finished(start(before, packages(wheels), WheelSource(folder=wheels)))
    assert job.state.step is Step.FAILED
    assert "free space and set up again" in job.state.error
    assert (before / "keep").exists()


def test_python_that_cannot_make_environments_is_told(wheels, before, monkeypatch):
    monkeypatch.setattr(setup_job, "run_module", functools.partial(_without_venv, child.run_module))
    job = finished(start(before, packages(wheels), WheelSource(folder=wheels)))
    assert job.state.step is Step.FAILED
    assert "cannot make an environment" in job.state.error
    assert "No module named" in job.state.error


def _without_venv(run, python, module, *rest, **named):
    return run(python, "no_such_venv" if module == "venv" else module, *rest, **named)


def test_cancel_ends_children_at_once_and_changes_nothing(wheels, before):
    job = start(before, packages(wheels), WheelSource(folder=wheels))
    wait_for(lambda: len(children_in(before.parent)) > 1)  # venv, and the pip it starts
    asked = time.monotonic()
    job.cancel()
    assert job.stopping
    finished(job)
    assert time.monotonic() - asked < 3.0
    assert job.state.step is Step.CANCELLED
    assert not children_in(before.parent)
    assert {path.name for path in before.parent.iterdir()} == {"engine"}
    assert (before / "keep").exists()


def test_end_of_the_host_ends_the_child(tmp_path):
    """The child sees its standard input close, as it does when Blender crashes."""
    program = (
        "import subprocess, sys, time; from pathlib import Path\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "process = subprocess.Popen([sys.executable, '-u', *sys.argv[2:]], stdin=subprocess.PIPE)\n"
        "print(process.pid, flush=True); time.sleep(2); import os; os._exit(1)\n"
    )
    (tmp_path / "sleeper.py").write_text("import time\ntime.sleep(60)\n")
    command = [child.RUN_ENGINE, tmp_path, "--script", child.RUN_MODULE, "sleeper"]
    host = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), *map(str, command)],
        capture_output=True, text=True, timeout=WAIT_SECONDS,
    )  # fmt: skip
    pid = int(host.stdout)
    wait_for(lambda: not Path(f"/proc/{pid}").exists() or _is_zombie(pid))


def _is_zombie(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


class _Index(http.server.SimpleHTTPRequestHandler):
    """A package index whose listings are those of folders; files can be held back."""

    def __init__(self, *args, asked, held, **kwargs):
        self.asked, self.held = asked, held
        super().__init__(*args, **kwargs)

    def do_GET(self):
        name = self.path.rpartition("/")[2]
        self.asked[name] += 1
        if name.startswith("torch"):
            self.held.wait(WAIT_SECONDS)
        super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def index(tmp_path, monkeypatch):
    """(source, folder of packages, how often each file was asked for, event that lets torch go)."""
    folder, asked, held = tmp_path / "index", Counter(), threading.Event()
    folder.mkdir()
    held.set()
    handler = functools.partial(_Index, directory=folder, asked=asked, held=held)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setenv("PIP_INDEX_URL", address)
        yield WheelSource(index=address), folder, asked, held
        held.set()
        server.shutdown()


def published(index_folder, wheels):
    for wheel in wheels.glob("*.whl"):
        name = wheel.name.split("-")[0]
        (index_folder / name).mkdir(exist_ok=True)
        shutil.copy(wheel, index_folder / name)


def test_index_cancelled_download_goes_on_from_what_has_come(wheels, before, probe, index):
    source, folder, asked, held = index
    published(folder, wheels)
    locked = sorted(packages(wheels), key=lambda package: package.name)  # numba, then torch
    held.clear()
    job = start(before, locked, source)
    wait_for(lambda: any(name.startswith("torch") for name in asked))
    assert job.progress_text.startswith("Downloading torch 1.0")
    job.cancel()
    assert finished(job).state.step is Step.CANCELLED
    part = before.with_name("engine.part")
    assert [path.name for path in part.rglob("*.whl")] == ["numba-1.0-py3-none-any.whl"]
    assert not (part / "environment").exists()
    held.set()
    assert finished(start(before, locked, source)).state.step is Step.DONE
    assert asked["numba-1.0-py3-none-any.whl"] == 1
    assert not part.exists()


def test_index_unchecked_torch_is_pinned_to_what_came_and_noted(wheels, before, probe, index):
    source, folder, *_ = index
    torch = UncheckedWheel(name="torch", version="1.0+cpu", path=None, size=0, sha256="")
    locked = [package for package in packages(wheels) if package.name == "numba"]
    write_wheel(wheels, "torch", "1.0+cpu")
    published(folder, wheels)
    job = finished(start(before, locked, source, [torch]))
    assert (job.state.step, job.state.error) == (Step.DONE, "")
    assert read_note(before).unchecked == ("torch 1.0+cpu",)


def test_index_that_lacks_a_package_is_told_with_its_version(wheels, before, index):
    source, folder, *_ = index
    locked = packages(wheels)
    next(wheels.glob("torch*")).unlink()
    published(folder, wheels)
    job = finished(start(before, locked, source))
    assert f"has no torch 1.0 for {this_machine()}" in job.state.error


def test_index_is_used_whatever_pip_is_configured_for(wheels, before, probe, index, monkeypatch):
    """A user's own constraints and `--user` are for other work; the versions here are locked."""
    source, folder, *_ = index
    published(folder, wheels)
    limits = wheels.with_name("limits.txt")
    limits.write_text("torch<1.0\nnumba<=0.5\n")
    settings = wheels.with_name("pip.conf")
    settings.write_text(f"[global]\nconstraint = {limits}\n[install]\nuser = true\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    job = finished(start(before, packages(wheels), source))
    assert (job.state.step, job.state.error) == (Step.DONE, "")


def test_index_that_cannot_be_reached_is_told(wheels, before, monkeypatch):
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    job = finished(start(before, packages(wheels), WheelSource()))
    assert "cannot be reached" in job.state.error
    assert "check the network" in job.state.error


def test_second_set_up_waits_for_the_first_and_takes_over_a_dead_one(wheels, before, probe):
    part = PartFolder(before)
    part.claim()
    (part.wheels / "half").touch()
    job = finished(start(before, packages(wheels), WheelSource(folder=wheels)))
    assert job.state.step is Step.FAILED
    assert "another Blender is setting up" in job.state.error
    assert (part.wheels / "half").exists()
    sign = before.with_name("engine.part") / "alive"
    os.utime(sign, (time.time() - 3600,) * 2)
    job = finished(start(before, packages(wheels), WheelSource(folder=wheels)))
    assert job.state.step is Step.DONE


def test_cache_folder_that_cannot_be_made_is_told(wheels, tmp_path):
    (tmp_path / "file").touch()
    environment = tmp_path / "file" / "engine"
    job = finished(start(environment, packages(wheels), WheelSource(folder=wheels)))
    assert job.state.step is Step.FAILED
    assert "cannot be written" in job.state.error
    assert "Cache Folder" in job.state.error


def test_discarded_environment_leaves_nothing(before):
    leftover = before.with_name("engine.old")
    leftover.mkdir()
    discard_environment(before)
    assert list(before.parent.iterdir()) == []
    discard_environment(before)


def test_discarded_environment_in_use_is_told_and_stays(before, monkeypatch):
    def in_use(self, target):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", in_use)
    with pytest.raises(EnvironmentBusyError, match=r"is in use.*stop the training"):
        discard_environment(before)
    assert (before / "keep").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"engine": "1"}', '{"unchecked": 3}'])
def test_note_that_is_damaged_is_none(before, text):
    (before / "pcgs-setup.json").write_text(text)
    assert read_note(before) is None


def test_note_survives(before, tmp_path):
    note = InstalledNote(engine="1.0", cuda=True, unchecked=("torch 1+cpu",))
    part = PartFolder(before)
    part.claim()
    (part.environment / "bin").mkdir(parents=True)
    part.publish(note)
    assert read_note(before) == note


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
         "the disk is full at torch 1.0"),
        ("WARNING: Retrying (Retry(total=4)) after connection broken\n"
         "ERROR: No matching distribution found for torch===1.0", "cannot be reached"),
        ("ERROR: No matching distribution found for torch===1.0", "has no torch 1.0 for"),
        ("noise\nERROR: torch is odd\n", "pip failed at torch 1.0: torch is odd"),
        ("", "pip failed at torch 1.0: no message"),
    ],
)  # fmt: skip
def test_pip_failure_names_the_package_and_the_next_step(tmp_path, wheels, output, told):
    (torch,) = (package for package in packages(wheels) if package.name == "torch")
    plan = SetupPlan(
        machine=this_machine(),
        build=BuildChoice(cuda=False, packages=(torch,)),
        source=WheelSource(),
        environment=tmp_path / "engine",
        blender_python=blender_python(),
        notes=(),
        problem="",
    )
    assert told in pip_failure(output, torch, plan)
