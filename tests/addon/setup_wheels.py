"""Wheels for tests of the set-up: made-up ones that weigh nothing, and the real ones."""

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from addon.setup.engine_lock import locked_packages
from addon.setup.machine import this_machine
from addon.setup.wheel_source import WheelSource

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


def write_wheel(folder: Path, name: str, version: str, tag: str = "py3-none-any") -> Path:
    """A wheel that pip installs: one module that knows its version."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-{tag}.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"__version__ = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = "".join(f"{file},,\n" for file in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(file, text)
    return path


def lock_line(wheel: Path, *, where: str = "any any any", sha256: str = "") -> str:
    name, version, *_ = wheel.name.split("-")
    digest = sha256 or hashlib.sha256(wheel.read_bytes()).hexdigest()
    size = wheel.stat().st_size
    return f"{name}=={version} --hash=sha256:{digest}  # {size} {where} {wheel.name}\n"


def real_wheels() -> Path:
    """Folder of what the CPU environment of this machine takes; skips where it cannot be had.

    Downloaded once, 350 MB, into the folder that `nox -s addon` names.
    """
    given, kept = os.environ.get("PCGS_TEST_WHEELS"), os.environ.get("PCGS_WHEEL_CACHE")
    if given:
        return Path(given)
    if not kept:
        pytest.skip("neither PCGS_TEST_WHEELS nor PCGS_WHEEL_CACHE names a folder of wheels")
    machine = this_machine()
    folder = Path(kept) / f"engine-{machine.platform}-{machine.python}"
    packages = [p for p in locked_packages(machine) if not p.cuda_only]
    torch = next(package for package in packages if package.name == "torch")
    if machine.platform.startswith("linux"):  # the locked one brings gigabytes of CUDA
        packages.remove(torch)
        if not list(folder.glob(f"torch-{torch.version}+cpu-*.whl")):
            _download(folder, f"torch==={torch.version}+cpu")
    if WheelSource(folder=folder).missing(tuple(packages)):
        requirements = folder / "requirements.txt"
        requirements.write_text("\n".join(package.requirement for package in packages))
        _download(folder, "--require-hashes", "-r", str(requirements))
    return folder


def _download(folder: Path, *what: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    options = ["--no-deps", "--only-binary", ":all:", "--retries", "1", "--dest", str(folder)]
    done = subprocess.run([*PIP, "download", *options, *what], capture_output=True, text=True)
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        pytest.skip(f"pip has no index with {what[-1]}: {said[-1] if said else 'no message'}")
