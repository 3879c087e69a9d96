"""What "Set Up Engine" would do, to be shown before it is done: no network, nothing written."""

import dataclasses
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from .engine_lock import LockedPackage, locked_packages
from .machine import Driver, Machine
from .torch_build import BuildChoice, TorchBuild, UncheckedWheel, choose_build
from .wheel_source import WheelSource

__all__ = ["SetupPlan", "amount_text", "largest_first", "make_plan"]

UNPACKED, UNPACKED_CUDA = 3.5, 2.0
"""Bytes on disk for each byte of a wheel: 3.4 measured for the CPU environment; NVIDIA's libraries
are hardly compressible. The exact number is looked at before anything is unpacked."""
OWN_SPACE = 100_000_000
"""Python's own files and room to work."""
UNKNOWN_TORCH = 2_000_000_000
"""Taken for a build of torch whose size the index tells only later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupPlan:
    """All that is decided."""

    machine: Machine
    build: BuildChoice
    source: WheelSource
    environment: Path
    """Where it will be."""
    blender_python: Path
    """Python that makes it."""
    notes: tuple[str, ...]
    """What the user should know first, one sentence each."""
    problem: str
    """Why it cannot be done, and the next step; empty where it can."""

    @property
    def lacking(self) -> bool:
        """Whether the wheel folder has not all that this build needs."""
        return bool(self.source.missing(self.packages))

    @property
    def packages(self) -> tuple[LockedPackage, ...]:
        """Packages whose hash the add-on knows."""
        return self.build.packages

    @property
    def unchecked(self) -> tuple[UncheckedWheel, ...]:
        """Those it does not know."""
        return self.build.unchecked

    @property
    def wheel_bytes(self) -> int:
        """Bytes of all wheels as far as they are known."""
        return sum(item.size for item in (*self.packages, *self.unchecked))

    @property
    def download_bytes(self) -> int:
        """Bytes from the network."""
        return 0 if self.source.folder is not None else self.wheel_bytes

    @property
    def disk_bytes(self) -> int:
        """Bytes that have to be free for it: downloads and unpacked files, at the same time."""
        torch = sum(item.size or UNKNOWN_TORCH for item in self.unchecked)
        locked = sum(package.size for package in self.packages)
        cuda = sum(package.size for package in self.packages if package.cuda_only)
        downloads = 0 if self.source.folder is not None else locked + torch
        unpacked = UNPACKED * (locked - cuda + torch) + UNPACKED_CUDA * cuda
        return round(downloads + unpacked) + OWN_SPACE


def make_plan(
    *,
    machine: Machine,
    driver: Driver | None,
    source: WheelSource,
    wanted: TorchBuild,
    environment: Path,
    blender_python: Path,
    online: bool,
) -> SetupPlan:
    """Decide what to install; the plan's `problem` tells where it cannot be done.

    Raises:
        LockError: nothing is locked for this machine.
        OSError: the wheel folder cannot be read.
    """
    build = choose_build(wanted, locked_packages(machine), machine, driver, source)
    plan = SetupPlan(
        machine=machine,
        build=build,
        source=source,
        environment=environment,
        blender_python=blender_python,
        notes=tuple(_notes(build, driver)),
        problem=_source_problem(build, source, online=online),
    )
    if plan.problem:
        return plan
    return dataclasses.replace(plan, problem=_folder_problem(plan))


def amount_text(size: int) -> str:
    """Return bytes as people read them; MB is 10⁶ bytes."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(size / 1e6, 0.1):,.0f} MB"


def largest_first(plan: SetupPlan, count: int) -> list[tuple[str, int]]:
    """Return the largest packages with their bytes, and what is left as one entry."""
    items = [(f"{p.name} {p.version}", p.size) for p in (*plan.packages, *plan.unchecked)]
    items.sort(key=lambda item: -item[1])
    rest = items[count:]
    if rest:
        items[count:] = [(f"{len(rest)} others", sum(size for _, size in rest))]
    return items


def _notes(build: BuildChoice, driver: Driver | None) -> list[str]:
    notes = []
    if build.reason:
        notes.append(build.reason)
    elif driver is not None and build.cuda:
        notes.append(f"{driver.gpu} with driver {driver.version} was found")
    if build.cuda and build.compiled_gsplat is not None:
        notes.append(f"gsplat {build.compiled_gsplat.version} draws on the GPU without a compiler")
    elif build.cuda and driver is not None and not driver.fault:
        notes.append(
            "to draw on the GPU gsplat compiles itself at first use: that needs CUDA's compiler "
            "(nvcc) and a C++ compiler, or a gsplat wheel compiled for this torch in the Wheel "
            "Folder; without them training runs on the CPU"
        )
    for wheel in build.unchecked:
        told = f", SHA-256 {wheel.sha256[:16]}..." if wheel.sha256 else ""
        notes.append(
            f"{wheel.name} {wheel.version}{told} cannot be checked: the add-on knows no hash of "
            "this build; all other packages are compared with theirs"
        )
    return notes


def _source_problem(build: BuildChoice, source: WheelSource, *, online: bool) -> str:
    if source.folder is None:
        if online:
            return ""
        return (
            "Blender may not use the network: switch on Allow Online Access in Preferences > "
            "System, or name a Wheel Folder in the add-on's preferences"
        )
    if not source.folder.is_dir():
        return f"{source} does not exist; choose another in the add-on's preferences"
    missing = source.missing(build.packages)
    if not missing:
        return ""
    names = ", ".join(sorted(package.files[0] for package in missing))
    return (
        f"{source} lacks {len(missing)} of {len(build.packages)} files: {names}; put them there, "
        "or leave Wheel Folder empty to download them"
    )


def _folder_problem(plan: SetupPlan) -> str:
    """Return why the environment's folder will not do."""
    parent = plan.environment.parent
    while not parent.exists() and parent != parent.parent:
        parent = parent.parent
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        return f"{parent} cannot be written; choose another Cache Folder in the preferences"
    free = shutil.disk_usage(parent).free
    if free < plan.disk_bytes:
        return (
            f"{amount_text(plan.disk_bytes)} are needed in {parent} and {amount_text(free)} are "
            "free; free space, or choose another Cache Folder in the preferences"
        )
    return ""
