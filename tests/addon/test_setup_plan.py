"""What a set-up would do: the lock, the build of torch, sizes, and why it cannot be done."""

import hashlib
import re
import shutil
import tomllib
from collections import namedtuple
from pathlib import Path

import pytest
from setup_wheels import lock_line, write_wheel

from addon.setup import machine as machine_module
from addon.setup import plan as plan_module
from addon.setup.engine_lock import ENGINE_LOCK, LockError, locked_packages
from addon.setup.environment_folder import bytes_below
from addon.setup.machine import Driver, Machine, nvidia_driver, python_fault
from addon.setup.plan import amount_text, largest_first, make_plan
from addon.setup.torch_build import TorchBuild
from addon.setup.wheel_source import WheelSource

REPOSITORY = Path(__file__).resolve().parents[2]
LINUX = Machine(platform="linux-x64", python="3.11")
MACHINES = [
    Machine(platform=platform, python=python)
    for platform in ("linux-x64", "windows-x64", "macos-arm64")
    for python in ("3.11", "3.13")
]
GPU = Driver(gpu="NVIDIA Test", version="590.1")
OLD_GPU = Driver(gpu="NVIDIA Test", version="535.54.03")
INDEX = WheelSource()
Usage = namedtuple("Usage", "total used free")


def plan(tmp_path, **changed):
    wanted = {
        "machine": LINUX, "driver": None, "source": INDEX, "wanted": TorchBuild.AUTO,
        "environment": tmp_path / "cache" / "engine", "blender_python": Path("python"),
        "online": True,
    }  # fmt: skip
    return make_plan(**{**wanted, **changed})


def names(packages):
    return {package.name for package in packages}


@pytest.fixture
def plenty_of_disk(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**13, 0, 10**13))


@pytest.mark.parametrize("machine", MACHINES, ids=str)
def test_lock_has_everything_the_project_pins_for_each_machine(machine):
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    locked = {package.name: package.version for package in locked_packages(machine)}
    wanted = [*project["dependencies"], *project["optional-dependencies"]["train"]]
    if not machine.platform.startswith("macos"):
        wanted += project["optional-dependencies"]["cuda"]
    for requirement in wanted:
        name, exact, version = re.fullmatch(r"([\w-]+)(==)?(.*)", requirement).groups()
        assert name in locked
        assert not exact or locked[name] == version


@pytest.mark.parametrize("machine", MACHINES, ids=str)
def test_lock_files_fit_the_machine(machine):
    tags = {"linux-x64": "x86_64", "windows-x64": "win_amd64", "macos-arm64": "arm64"}
    python = "cp" + machine.python.replace(".", "")
    for package in locked_packages(machine):
        for file in package.files:
            *_, tag, abi, platform = file.removesuffix(".whl").split("-")
            assert platform == "any" or tags[machine.platform] in platform
            assert tag.startswith("py") or abi == "abi3" or python in (tag, abi)


def test_lock_names_no_address():
    assert "//" not in ENGINE_LOCK.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "machine",
    [Machine(platform="linux-arm64", python="3.11"), Machine(platform="linux-x64", python="3.14")],
    ids=str,
)
def test_lock_without_torch_for_a_machine_says_which_and_what_to_do(machine):
    with pytest.raises(LockError, match=f"no torch for {machine}.*Engine Python"):
        locked_packages(machine)


def test_lock_with_a_damaged_line_names_it(tmp_path):
    lock = tmp_path / "engine.lock"
    lock.write_text(lock_line(write_wheel(tmp_path, "torch", "1.0")) + "numpy==1.0\n")
    with pytest.raises(LockError, match=r"engine\.lock, line 2 is damaged"):
        locked_packages(LINUX, lock)


def test_lock_several_files_of_a_version_are_one_requirement(tmp_path):
    lock = tmp_path / "engine.lock"
    wheels = [write_wheel(tmp_path, "torch", "1.0", f"py3-none-{tag}") for tag in ("any", "linux")]
    lock.write_text("".join(map(lock_line, wheels)))
    (package,) = locked_packages(LINUX, lock)
    assert package.files == tuple(wheel.name for wheel in wheels)
    assert package.requirement.count("--hash=sha256:") == 2
    assert package.requirement.startswith("torch===1.0 ")


def test_build_linux_with_driver_is_cuda_and_all_checked(tmp_path, plenty_of_disk):
    made = plan(tmp_path, driver=GPU)
    assert made.build.cuda
    assert not made.unchecked
    assert {"torch", "gsplat", "nvidia-cublas"} <= names(made.packages)
    assert made.download_bytes > 2e9
    assert not made.problem
    assert "NVIDIA Test" in made.notes[0]
    assert any("gsplat compiles itself" in note for note in made.notes)


@pytest.mark.parametrize(
    ("driver", "wanted", "reason"),
    [
        (None, TorchBuild.AUTO, "no NVIDIA driver"),
        (OLD_GPU, TorchBuild.AUTO, "too old"),
        (GPU, TorchBuild.CPU, "CPU only was chosen"),
    ],
)
def test_build_linux_without_gpu_says_that_the_index_has_only_cuda(
    tmp_path, plenty_of_disk, driver, wanted, reason
):
    made = plan(tmp_path, driver=driver, wanted=wanted)
    assert made.build.cuda
    assert reason in made.notes[0]
    assert "no CPU-only torch" in made.notes[0]


def test_build_linux_with_an_index_of_ones_own_asks_it_for_the_small_torch(tmp_path):
    made = plan(tmp_path, source=WheelSource(index="https://user:secret@index.test/simple"))
    assert not made.build.cuda
    assert made.unchecked[0].version.endswith("+cpu")
    assert "--hash" not in made.unchecked[0].requirement
    assert "torch" not in names(made.packages)
    assert any("cannot be checked" in note for note in made.notes)
    assert "secret" not in " ".join([*made.notes, str(made.source)])


def test_build_folder_with_cpu_torch_pins_the_file_that_is_there(tmp_path):
    torch = folder_for(tmp_path / "wheels", "+cpu")
    made = plan(tmp_path, driver=GPU, source=WheelSource(folder=tmp_path / "wheels"))
    assert not made.build.cuda
    assert not made.problem
    digest = hashlib.sha256(torch.read_bytes()).hexdigest()
    assert f"--hash=sha256:{digest}" in made.unchecked[0].requirement
    assert any(digest[:16] in note for note in made.notes)
    assert made.download_bytes == 0


COMPILED = "gsplat-1.5.3+pt2.13.0.cu130.sm86.sm90-cp311-cp311-linux_x86_64.whl"


@pytest.mark.parametrize(
    ("file", "taken"),
    [
        (COMPILED, True),
        (COMPILED.replace("pt2.13.0", "pt2.12.0"), False),
        (COMPILED.replace("cu130", "cu128"), False),
        (COMPILED.replace("cp311", "cp313"), False),
        (COMPILED.replace("linux_x86_64", "win_amd64"), False),
    ],
)
def test_build_cuda_takes_a_gsplat_compiled_for_this_torch_from_the_folder(tmp_path, file, taken):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for package in locked_packages(LINUX):
        if package.name != "gsplat":
            (wheels / package.files[0]).touch()
    (wheels / file).write_bytes(b"compiled")
    made = plan(tmp_path, driver=GPU, source=WheelSource(folder=wheels), wanted=TorchBuild.CUDA)
    assert made.build.cuda
    assert ("gsplat" in names(made.packages)) == (not taken)
    assert made.lacking == (not taken)
    if taken:
        (gsplat,) = made.unchecked
        digest = hashlib.sha256(b"compiled").hexdigest()
        assert gsplat.requirement == f"gsplat==={file.split('-')[1]} --hash=sha256:{digest}"
        assert any("draws on the GPU without a compiler" in note for note in made.notes)
        assert not any("nvcc" in note for note in made.notes)


@pytest.mark.parametrize(("driver", "label"), [(None, ""), (GPU, "+cu130")])
def test_build_windows_takes_cuda_from_a_folder_that_has_it(tmp_path, driver, label):
    machine = Machine(platform="windows-x64", python="3.11")
    folder_for(tmp_path / "wheels", "+cu130", machine)
    source = WheelSource(folder=tmp_path / "wheels")
    made = plan(tmp_path, machine=machine, driver=driver, source=source)
    assert made.build.cuda == bool(label)
    assert [wheel.version.endswith(label) for wheel in made.unchecked] == [True] * bool(label)
    assert ("gsplat" in names(made.packages)) == bool(label)


def test_build_windows_without_cuda_torch_says_where_it_is(tmp_path, plenty_of_disk):
    machine = Machine(platform="windows-x64", python="3.13")
    made = plan(tmp_path, machine=machine, driver=GPU)
    assert not made.build.cuda
    assert "cu130" in made.notes[0]
    assert "Package Index" in made.notes[0]


def test_build_macos_is_small_and_has_no_choice(tmp_path, plenty_of_disk):
    machine = Machine(platform="macos-arm64", python="3.13")
    for wanted in TorchBuild:
        made = plan(tmp_path, machine=machine, wanted=wanted)
        assert not made.build.cuda
        assert not made.notes
        assert made.download_bytes < 4e8


def folder_for(folder, label, machine=LINUX):
    """Fill a folder with files of the right names, a local torch and no locked one."""
    locked = {package.name: package for package in locked_packages(machine)}
    folder.mkdir()
    for package in locked.values():
        if package.name != "torch" or "cu" in label:
            (folder / package.files[0]).touch()
    tag = "cp" + machine.python.replace(".", "")
    torch = folder / f"torch-{locked['torch'].version}{label}-{tag}-{tag}-linux_x86_64.whl"
    torch.write_bytes(b"torch")
    return torch


def test_plan_offline_is_refused_with_both_ways_out(tmp_path):
    problem = plan(tmp_path, online=False).problem
    assert "Allow Online Access" in problem
    assert "Wheel Folder" in problem


def test_plan_offline_from_a_folder_is_fine(tmp_path):
    folder_for(tmp_path / "wheels", "+cpu")
    made = plan(tmp_path, online=False, source=WheelSource(folder=tmp_path / "wheels"))
    assert not made.problem


def test_plan_folder_that_lacks_a_file_names_it(tmp_path):
    folder_for(tmp_path / "wheels", "+cpu")
    numba = next(p for p in locked_packages(LINUX) if p.name == "numba")
    (tmp_path / "wheels" / numba.files[0]).unlink()
    problem = plan(tmp_path, source=WheelSource(folder=tmp_path / "wheels")).problem
    assert numba.files[0] in problem
    assert "lacks 1 of" in problem
    assert "put them there" in problem


def test_plan_folder_that_is_not_there_is_told(tmp_path):
    problem = plan(tmp_path, source=WheelSource(folder=tmp_path / "none")).problem
    assert "does not exist" in problem


def test_plan_too_little_disk_says_how_much_is_needed(tmp_path, monkeypatch):
    monkeypatch.setattr(plan_module.shutil, "disk_usage", lambda _: Usage(10**10, 0, 5 * 10**8))
    made = plan(tmp_path, driver=GPU)
    assert amount_text(made.disk_bytes) in made.problem
    assert "500 MB are free" in made.problem
    assert "Cache Folder" in made.problem


def test_plan_cache_folder_that_is_a_file_is_told(tmp_path):
    (tmp_path / "cache").write_text("not a folder")
    assert "cannot be written" in plan(tmp_path).problem


def test_plan_writes_nothing(tmp_path, plenty_of_disk):
    assert not plan(tmp_path).problem
    assert list(tmp_path.iterdir()) == []


def test_plan_largest_first_names_the_rest_in_one(tmp_path, plenty_of_disk):
    made = plan(tmp_path, driver=GPU)
    listed = largest_first(made, 3)
    assert len(listed) == 4
    assert listed[0][0].startswith(("torch", "nvidia"))
    assert sum(size for _, size in listed) == made.download_bytes


def test_python_without_venv_names_the_way_out(monkeypatch):
    assert python_fault() == ""
    known = machine_module.importlib.util.find_spec
    monkeypatch.setattr(
        machine_module.importlib.util,
        "find_spec",
        lambda name: None if name == "ensurepip" else known(name),
    )
    assert "lacks ensurepip" in python_fault()
    assert "Engine Python" in python_fault()


@pytest.mark.parametrize(
    ("printed", "found"),
    [
        ("NVIDIA GeForce RTX 4090, 581.12\nNVIDIA T4, 581.12\n", "NVIDIA GeForce RTX 4090"),
        ("no devices were found\n", None),
    ],
)
def test_driver_is_asked_of_its_own_program(tmp_path, monkeypatch, printed, found):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\nprintf '{printed}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    driver = nvidia_driver()
    assert (driver and driver.gpu) == found
    assert driver is None or (driver.version, driver.fault) == ("581.12", "")


def test_driver_program_that_fails_is_no_driver(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nexit 9\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert nvidia_driver() is None


def test_bytes_below_counts_files_and_follows_no_links(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert 5 <= bytes_below(tmp_path) < 5 + 4096
    assert bytes_below(tmp_path / "none") == 0
