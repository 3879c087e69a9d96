"""Which build of torch: what the user wants, what the driver can and what the source has.

The package index has one build a platform: CPU for Windows and macOS, CUDA for Linux (it also runs
without a GPU, but brings gigabytes). The other ones are "local versions" such as 2.13.0+cpu, kept
elsewhere by torch's makers: they cannot be in engine.lock, so they are taken from a wheel folder
or an index that the user names, and said to be unchecked. So is a gsplat that was compiled for this
torch (`build_addon.py gsplat`), which a wheel folder may have.
"""

import dataclasses
import enum
import hashlib
from dataclasses import dataclass
from pathlib import Path

from .engine_lock import LockedPackage
from .machine import Driver, Machine
from .wheel_source import OWN_WHEELS, WheelSource

__all__ = ["BuildChoice", "TorchBuild", "UncheckedWheel", "choose_build"]

CUDA_LABEL = "cu130"
"""Torch's name for the CUDA that engine.lock and the oldest driver stand for."""
WHEEL_PLATFORMS = {"linux-x64": "linux*_x86_64", "windows-x64": "win_amd64"}
"""Blender's name: pattern of the platform in a wheel's name, where gsplat can be compiled."""


class TorchBuild(enum.Enum):
    """What torch can run on."""

    AUTO = "auto"
    CUDA = "cuda"
    CPU = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class UncheckedWheel:
    """A build of torch or gsplat that engine.lock has no hash of."""

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

    @property
    def compiled_gsplat(self) -> UncheckedWheel | None:
        """The gsplat that needs no compiler."""
        return next((wheel for wheel in self.unchecked if wheel.name == "gsplat"), None)


def choose_build(
    wanted: TorchBuild,
    locked: tuple[LockedPackage, ...],
    machine: Machine,
    driver: Driver | None,
    source: WheelSource,
) -> BuildChoice:
    """Choose; always something that can train, on the CPU if need be."""
    choice = _torch_choice(wanted, locked, machine, driver, source)
    return _with_compiled_gsplat(choice, machine, source) if choice.cuda else choice


def _torch_choice(
    wanted: TorchBuild,
    locked: tuple[LockedPackage, ...],
    machine: Machine,
    driver: Driver | None,
    source: WheelSource,
) -> BuildChoice:
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
        if source.folder == OWN_WHEELS:
            no_gpu += "; choose NVIDIA GPU to download the one with CUDA"
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
    tag = _python_tag(machine)
    path = source.find(f"torch-{version}-{tag}-{tag}-*.whl")
    return None if path is None else _unchecked("torch", version, path)


def _with_compiled_gsplat(
    choice: BuildChoice, machine: Machine, source: WheelSource
) -> BuildChoice:
    """Take the wheel folder's gsplat for this torch and Python instead of the one in source."""
    locked = next((package for package in choice.packages if package.name == "gsplat"), None)
    items = (*choice.packages, *choice.unchecked)
    torch = next(item.version for item in items if item.name == "torch").partition("+")[0]
    platform, tag = WHEEL_PLATFORMS.get(machine.platform), _python_tag(machine)
    if locked is None or platform is None:
        return choice
    label = f"pt{torch}.{CUDA_LABEL}"
    path = source.find(f"gsplat-{locked.version}+{label}*-{tag}-{tag}-{platform}.whl")
    if path is None:
        return choice
    return dataclasses.replace(
        choice,
        packages=tuple(package for package in choice.packages if package is not locked),
        unchecked=(*choice.unchecked, _unchecked("gsplat", path.name.split("-")[1], path)),
    )


def _python_tag(machine: Machine) -> str:
    return "cp" + machine.python.replace(".", "")


def _unchecked(name: str, version: str, path: Path) -> UncheckedWheel:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    size = path.stat().st_size
    return UncheckedWheel(name=name, version=version, path=path, size=size, sha256=digest)


def _without_torch(packages: tuple[LockedPackage, ...]) -> tuple[LockedPackage, ...]:
    return tuple(package for package in packages if package.name != "torch")
