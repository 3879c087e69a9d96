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


def real_wheels(folder: Path) -> Path:
    """What the CPU environment of this machine takes; skips where it cannot be had."""
    given = os.environ.get("PCGS_TEST_WHEELS", "")
    if given:
        return Path(given)
    if "PCGS_TEST_NETWORK" not in os.environ:
        pytest.skip("neither PCGS_TEST_WHEELS (a wheel folder) nor PCGS_TEST_NETWORK is set")
    packages = [p for p in locked_packages(this_machine()) if not p.cuda_only]
    torch = next(package for package in packages if package.name == "torch")
    lines = [package.requirement for package in packages if package is not torch]
    requirements = folder / "requirements.txt"
    requirements.write_text("\n".join(lines))
    options = ["--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
    locked = [*PIP, "download", *options, "--require-hashes", "-r", str(requirements)]
    subprocess.run(locked, check=True)
    local = [*PIP, "download", *options, f"torch==={torch.version}+cpu"]
    if subprocess.run(local).returncode != 0:
        pytest.skip(f"pip's index has no torch {torch.version}+cpu")
    return folder
