"""engine.lock in, the wheels for one machine out. The format: tools/addon_zip/engine_lock.py."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .machine import Machine

__all__ = ["ENGINE_LOCK", "LockError", "LockedPackage", "locked_packages"]

ENGINE_LOCK = Path(__file__).with_name("engine.lock")
LINE = re.compile(
    r"(?P<name>[\w.-]+)==(?P<version>[\w.!]+) --hash=sha256:(?P<sha256>[0-9a-f]{64})  # "
    r"(?P<size>\d+) (?P<platforms>[\w,-]+) (?P<pythons>[\d.,]+|any) (?P<build>any|cuda) "
    r"(?P<file>\S+\.whl)"
)


class LockError(ValueError):
    """The lock is damaged or does not serve this machine; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedPackage:
    """One package in one version: any of its files will do."""

    name: str
    version: str
    size: int
    """Bytes of its largest file."""
    cuda_only: bool
    files: tuple[str, ...]
    hashes: tuple[str, ...]
    """SHA-256 of each file."""

    @property
    def requirement(self) -> str:
        """As pip reads it: this very version, one of these files.

        `===`, because `==` also takes local builds of the version, such as 2.13.0+cpu.
        """
        hashes = "".join(f" --hash=sha256:{digest}" for digest in self.hashes)
        return f"{self.name}==={self.version}{hashes}"


def locked_packages(machine: Machine, lock: Path = ENGINE_LOCK) -> tuple[LockedPackage, ...]:
    """Return what the lock has for a machine, of all builds.

    Raises:
        LockError: a line cannot be read, or nothing fits this platform and Python.
    """
    wheels: dict[str, list[re.Match[str]]] = {}
    for number, line in enumerate(lock.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        wheel = LINE.fullmatch(line)
        if wheel is None:
            raise LockError(f"{lock.name}, line {number} is damaged; install the add-on again")
        fits = _lists(wheel["platforms"], machine.platform)
        if fits and _lists(wheel["pythons"], machine.python):
            wheels.setdefault(wheel["name"], []).append(wheel)
    # Packages for any platform do not make an environment: torch is what decides.
    if "torch" not in wheels:
        raise LockError(
            f"there is no torch for {machine}; name a Python that can train as Engine Python in "
            "the add-on's preferences"
        )
    return tuple(_package(found) for found in wheels.values())


def _lists(listed: str, wanted: str) -> bool:
    return listed == "any" or wanted in listed.split(",")


def _package(wheels: Iterable[re.Match[str]]) -> LockedPackage:
    found = list(wheels)
    return LockedPackage(
        name=found[0]["name"],
        version=found[0]["version"],
        size=max(int(wheel["size"]) for wheel in found),
        cuda_only=found[0]["build"] == "cuda",
        files=tuple(wheel["file"] for wheel in found),
        hashes=tuple(wheel["sha256"] for wheel in found),
    )
