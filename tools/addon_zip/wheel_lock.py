"""What the build takes of other projects, wheels and sources: `wheels/wheels.lock`, both ways.

One line a file: name, version, platform (`any` or Blender's name), Python tag or `source`, SHA-256.
"""

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .download import IndexFile, fetched
from .platforms import Platform
from .resolver import Resolver

__all__ = ["LockedWheel", "collect_wheels", "locked_source", "read_lock", "refresh_lock"]

LOCK = Path("wheels", "wheels.lock")
HEADER = "# name version platform python-tag sha256; refreshed by `python build_addon.py lock`\n"
SOURCE = "source"
"""In place of a Python tag: compiled by the build, no part of a zip."""
BLENDERS_OWN = {"numpy"}
"""Blender brings it: a second copy would break every add-on of the session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedWheel:
    """One line of the lock."""

    name: str
    version: str
    platform: str
    """`any`, or a platform's name."""
    python_tag: str
    sha256: str

    @property
    def line(self) -> str:
        """As the lock file has it."""
        return f"{self.name} {self.version} {self.platform} {self.python_tag} {self.sha256}"


def read_lock(path: Path) -> list[LockedWheel]:
    """Return the lock's lines.

    Raises:
        ValueError: a line is not five words, a hash is not a SHA-256, or numpy is bundled.
    """
    wheels = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 5 or not re.fullmatch("[0-9a-f]{64}", words[4]):
            raise ValueError(
                f"{path.name}:{number}: wanted {HEADER[2:42]}, found {line!r}; run `python "
                "build_addon.py lock`"
            )
        if words[0].lower() in BLENDERS_OWN:
            raise ValueError(f"{path.name}:{number}: {words[0]} is part of Blender, never bundled")
        keys = ("name", "version", "platform", "python_tag", "sha256")
        wheels.append(LockedWheel(**dict(zip(keys, words, strict=True))))
    return wheels


def collect_wheels(
    lock: list[LockedWheel], platform: Platform, folders: Sequence[Path], cache: Path
) -> list[Path]:
    """Return the files of the wheels that `platform` needs; see `download.fetched`.

    Raises:
        DownloadError: one could not be had, or is not the one the lock promises.
    """
    chosen = [
        wheel
        for wheel in lock
        if wheel.platform in ("any", platform.name) and wheel.python_tag != SOURCE
    ]
    return [fetched(_file_of(wheel, platform), folders, cache) for wheel in chosen]


def locked_source(lock: list[LockedWheel], name: str) -> IndexFile:
    """Return the source archive of that name.

    Raises:
        ValueError: the lock has none.
    """
    for wheel in lock:
        if (wheel.name, wheel.python_tag) == (name, SOURCE):
            pattern = f"{name}-{wheel.version}.tar.gz"
            return IndexFile(name=name, version=wheel.version, pattern=pattern, sha256=wheel.sha256)
    raise ValueError(f"{LOCK}: no source of {name}; run `python build_addon.py lock`")


def refresh_lock(repository: Path, resolver: Resolver) -> list[LockedWheel]:
    """Lock the wheels of the engine's plain dependencies and gsplat's source, as pinned.

    Raises:
        ValueError: something is not pinned, or is compiled for one platform.
    """
    text = (repository / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    plain = [
        requirement
        for requirement in project["dependencies"]
        if re.split(r"[<>=!~; \[]", requirement)[0].lower() not in BLENDERS_OWN
    ]
    sources = project["optional-dependencies"]["cuda"]
    wheels = [_locked_wheel(package) for package in _pinned(resolver, plain)]
    wheels += [_locked_source(package) for package in _pinned(resolver, sources)]
    lines = HEADER + "".join(f"{wheel.line}\n" for wheel in wheels)
    (repository / LOCK).write_text(lines, encoding="utf-8")
    return wheels


def _pinned(resolver: Resolver, requirements: Sequence[str]) -> Iterable[dict[str, Any]]:
    for requirement in requirements:
        if "==" not in requirement:
            raise ValueError(f"{requirement}: pin it with == in pyproject.toml to bundle it")
    return resolver.resolve(requirements, "linux-x64", "3.11", dependencies=False)


def _locked_wheel(package: dict[str, Any]) -> LockedWheel:
    for wheel in package["wheels"]:
        tag, abi, platform = wheel["name"].removesuffix(".whl").split("-")[-3:]
        if (abi, platform) == ("none", "any"):
            return _line(package, tag, wheel["hashes"]["sha256"])
    raise ValueError(f"{package['name']} {package['version']}: no wheel for every platform")


def _locked_source(package: dict[str, Any]) -> LockedWheel:
    return _line(package, SOURCE, package["sdist"]["hashes"]["sha256"])


def _line(package: dict[str, Any], python_tag: str, sha256: str) -> LockedWheel:
    return LockedWheel(
        name=package["name"],
        version=package["version"],
        platform="any",
        python_tag=python_tag,
        sha256=sha256,
    )


def _file_of(wheel: LockedWheel, platform: Platform) -> IndexFile:
    tags = () if wheel.platform == "any" else ("--platform", platform.wheel_tag)
    return IndexFile(
        name=wheel.name,
        version=wheel.version,
        pattern=f"{wheel.name}-{wheel.version}-{wheel.python_tag}-*.whl",
        sha256=wheel.sha256,
        tags=("--python-version=3.11", *tags),
    )
