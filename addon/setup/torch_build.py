"""Which build of torch: what the user wants, what the driver can and what the source has.

The package index has one build a platform: CPU for Windows and macOS, CUDA for Linux (it also runs
without a GPU, but brings gigabytes). The other ones are "local versions" such as 2.13.0+cpu, kept
elsewhere by torch's makers: they cannot be in engine.lock, so they are taken from a wheel folder
or an index that the user names, and said to be unchecked.
"""

import enum
import hashlib
from dataclasses import dataclass
from pathlib import Path

from .engine_lock import LockedPackage
from .machine import Driver, Machine
from .wheel_source import WheelSource

__all__ = ["BuildChoice", "TorchBuild", "UncheckedWheel", "choose_build"]

CUDA_LABEL = "cu130"
"""Torch's name for the CUDA that engine.lock and the oldest driver stand for."""


class TorchBuild(enum.Enum):
    """What torch can run on."""

    AUTO = "auto"
    CUDA = "cuda"
    CPU = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class UncheckedWheel:
    """A build of torch that engine.lock has no hash of."""

    name: str
    version: str
    path: Path | None
    """In the wheel folder; None: to be asked from the index."""
    size: int
    """Bytes; 0: not known before the download."""
    sha256: str
    """Of the file that was found when the plan was made: that one is installed or none."""

    @property
    def requirement(self) -> str:
        """As pip reads it."""
        pinned = f" --hash=sha256:{self.sha256}" if self.sha256 else ""
        return f"{self.name}==={self.version}{pinned}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildChoice:
    """What to install and why."""

    cuda: bool
    packages: tuple[LockedPackage, ...]
    unchecked: tuple[UncheckedWheel, ...] = ()
    reason: str = ""
    """Why it is this build, where that is not what one would expect."""


def choose_build(
    wanted: TorchBuild,
    locked: tuple[LockedPackage, ...],
    machine: Machine,
    driver: Driver | None,
    source: WheelSource,
) -> BuildChoice:
    """Choose; always something that can train, on the CPU if need be."""
    plain = tuple(package for package in locked if not package.cuda_only)
    if machine.platform.startswith("macos"):
        return BuildChoice(cuda=False, packages=plain)
    no_gpu = _no_gpu_reason(wanted, driver)
    if machine.platform.startswith("linux"):
        return _linux_build(wanted, locked, machine, source, no_gpu)
    if no_gpu:
        return BuildChoice(cuda=False, packages=plain, reason=no_gpu)
    special = _local_build(plain, CUDA_LABEL, machine, source)
    if special is None:
        return BuildChoice(cuda=False, packages=plain, reason=_no_cuda_here(source))
    return BuildChoice(cuda=True, packages=_without_torch(locked), unchecked=(special,))


def _no_gpu_reason(wanted: TorchBuild, driver: Driver | None) -> str:
    """Return why not to take the CUDA build; empty: take it."""
    if wanted is TorchBuild.CPU:
        return "CPU only was chosen"
    if wanted is TorchBuild.CUDA:
        return ""  # perhaps the GPU is put in tomorrow
    return "no NVIDIA driver was found" if driver is None else driver.fault


def _linux_build(
    wanted: TorchBuild,
    locked: tuple[LockedPackage, ...],
    machine: Machine,
    source: WheelSource,
    no_gpu: str,
) -> BuildChoice:
    plain = tuple(package for package in locked if not package.cuda_only)
    special = _local_build(plain, "cpu", machine, source)
    if not no_gpu and wanted is TorchBuild.AUTO and _only_in_folder(special, locked, source):
        no_gpu = f"{source} has only the CPU build of torch"
    if not no_gpu:
        return BuildChoice(cuda=True, packages=locked)
    if special is not None:
        packages = _without_torch(plain)
        return BuildChoice(cuda=False, packages=packages, unchecked=(special,), reason=no_gpu)
    reason = (
        f"{no_gpu}, but {source} has no CPU-only torch for Linux: its build brings CUDA along and "
        "runs on the CPU too. For the small one name torch's own CPU index as Package Index in "
        "the add-on's preferences, or a Wheel Folder that holds it"
    )
    return BuildChoice(cuda=True, packages=locked, reason=reason)


def _only_in_folder(
    special: UncheckedWheel | None, locked: tuple[LockedPackage, ...], source: WheelSource
) -> bool:
    """Return whether a wheel folder has the local build and not the locked one."""
    missing = {package.name for package in source.missing(locked)}
    return special is not None and "torch" in missing


def _no_cuda_here(source: WheelSource) -> str:
    return (
        f"{source} has no torch with CUDA for Windows, so training will use the CPU; for the GPU "
        f"name torch's own index for {CUDA_LABEL} as Package Index, or a folder with its wheel"
    )


def _local_build(
    plain: tuple[LockedPackage, ...], label: str, machine: Machine, source: WheelSource
) -> UncheckedWheel | None:
    """Return a local build of torch's locked version, where the source has or may have one."""
    torch = next(package for package in plain if package.name == "torch")
    version = f"{torch.version}+{label}"
    if source.folder is None:
        if not source.index:
            return None  # pip's own index takes no local versions
        return UncheckedWheel(name="torch", version=version, path=None, size=0, sha256="")
    tag = "cp" + machine.python.replace(".", "")
    path = source.find(f"torch-{version}-{tag}-{tag}-*.whl")
    if path is None:
        return None
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    size = path.stat().st_size
    return UncheckedWheel(name="torch", version=version, path=path, size=size, sha256=digest)


def _without_torch(packages: tuple[LockedPackage, ...]) -> tuple[LockedPackage, ...]:
    return tuple(package for package in packages if package.name != "torch")
