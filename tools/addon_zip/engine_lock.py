"""The lock of the engine's environment: addon/setup/engine.lock, written and read.

One line a wheel, in pip's requirements format with its SHA-256; the comment behind it says how
large it is, where it belongs and what its file is called. The add-on reads it with
addon/setup/engine_lock.py, which needs Blender.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from .resolver import PLATFORMS, Resolver

__all__ = ["LOCK", "PYTHONS", "LockedFile", "read_engine_lock", "refresh_engine_lock"]

LOCK = Path("addon", "setup", "engine.lock")
PYTHONS = ("3.11", "3.13")
"""Of Blender 4.2 to 5.0, and from 5.1 on."""
WITHOUT_CUDA = "windows-x64"
"""Torch's wheel for it on the package index is a CPU build: what it needs, every build needs."""
HEADER = """\
# What "Set Up Engine" installs, in pip's requirements format; made by `build_addon.py lock`.
# Behind each line: bytes, platforms, Python versions, builds (any, or only with CUDA), file.
"""
LINE = re.compile(
    r"(?P<name>[\w.-]+)==(?P<version>[\w.!]+) --hash=sha256:(?P<sha256>[0-9a-f]{64})  # "
    r"(?P<size>\d+) (?P<platforms>[\w,-]+) (?P<pythons>[\d.,]+|any) (?P<build>any|cuda) "
    r"(?P<file>\S+\.whl)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedFile:
    """One line of the lock."""

    name: str
    version: str
    sha256: str
    size: int
    platforms: tuple[str, ...]
    pythons: tuple[str, ...]
    cuda_only: bool
    file: str


@dataclass(slots=True)
class _Wheel:
    name: str
    version: str
    sha256: str
    size: int
    file: str
    targets: set[tuple[str, str]] = field(default_factory=set)


def read_engine_lock(repository: Path) -> list[LockedFile]:
    """Return the lock's lines.

    Raises:
        ValueError: a line cannot be read.
    """
    files = []
    text = (repository / LOCK).read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        wheel = LINE.fullmatch(line)
        if wheel is None:
            raise ValueError(
                f"{LOCK}, line {number} is damaged: {line!r}; run `python build_addon.py lock`"
            )
        files.append(
            LockedFile(
                name=wheel["name"],
                version=wheel["version"],
                sha256=wheel["sha256"],
                size=int(wheel["size"]),
                platforms=_named(wheel["platforms"], PLATFORMS),
                pythons=_named(wheel["pythons"], PYTHONS),
                cuda_only=wheel["build"] == "cuda",
                file=wheel["file"],
            )
        )
    return files


def refresh_engine_lock(repository: Path, resolver: Resolver) -> list[str]:
    """Resolve for every platform and Python and write the lock; returns its lines.

    Raises:
        ValueError: the index does not say how large a wheel is.
        subprocess.CalledProcessError: uv found no solution.
    """
    text = (repository / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    extras = project["optional-dependencies"]
    plain = [*project["dependencies"], *extras["train"]]
    needed_by_all = {
        package["name"]
        for version in PYTHONS
        for package in resolver.resolve(plain, WITHOUT_CUDA, version)
    }
    wheels: dict[str, _Wheel] = {}
    for platform, version in product(PLATFORMS, PYTHONS):
        wanted = plain if platform.startswith("macos") else [*plain, *extras["cuda"]]
        for package in resolver.resolve(wanted, platform, version):
            for wheel in _wheels(package):
                wheels.setdefault(wheel.sha256, wheel).targets.add((platform, version))
    lines = [
        line
        for wheel in sorted(wheels.values(), key=lambda w: (w.name, w.file))
        for line in _lines(wheel, cuda=wheel.name not in needed_by_all)
    ]
    (repository / LOCK).write_text(HEADER + "".join(f"{x}\n" for x in lines), encoding="utf-8")
    return lines


def _wheels(package: dict[str, Any]) -> Iterator[_Wheel]:
    for wheel in package["wheels"]:
        if "size" not in wheel:
            raise ValueError(f"{wheel['name']}: the package index does not say how large it is")
        yield _Wheel(
            name=package["name"],
            version=package["version"],
            sha256=wheel["hashes"]["sha256"],
            size=wheel["size"],
            file=wheel["name"],
        )


def _lines(wheel: _Wheel, *, cuda: bool) -> Iterator[str]:
    requirement = f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}"
    platforms = {platform for platform, _ in wheel.targets}
    pythons = {version for _, version in wheel.targets}
    whole = wheel.targets == set(product(platforms, pythons))
    for chosen in [platforms] if whole else [{platform} for platform in sorted(platforms)]:
        versions = {version for platform, version in wheel.targets if platform in chosen}
        where = f"{_listed(chosen, PLATFORMS)} {_listed(versions, PYTHONS)}"
        yield f"{requirement}  # {wheel.size} {where} {'cuda' if cuda else 'any'} {wheel.file}"


def _listed(chosen: set[str], known: Iterable[str]) -> str:
    names = [name for name in known if name in chosen]
    return "any" if len(names) == len(list(known)) else ",".join(names)


def _named(listed: str, known: Iterable[str]) -> tuple[str, ...]:
    return tuple(known) if listed == "any" else tuple(listed.split(","))
