"""Wheels of other projects that the zip carries: `wheels/wheels.lock` in, checked files out.

One line a wheel: name, version, platform (`any` or Blender's name), Python tag, SHA-256.
"""

import hashlib
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from .platforms import Platform

__all__ = ["LockedWheel", "collect_wheels", "read_lock", "refresh_lock"]

HEADER = "# name version platform python-tag sha256; refreshed by `python build_addon.py lock`\n"
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
    """Return the lock's wheels.

    Raises:
        ValueError: a line is not five words, a hash is not a SHA-256, or numpy is bundled.
    """
    wheels = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 5 or not re.fullmatch("[0-9a-f]{64}", words[4]):
            raise ValueError(f"{path.name}:{number}: wanted {HEADER[2:32]}, found {line!r}")
        if words[0].lower() in BLENDERS_OWN:
            raise ValueError(f"{path.name}:{number}: {words[0]} is part of Blender, never bundled")
        keys = ("name", "version", "platform", "python_tag", "sha256")
        wheels.append(LockedWheel(**dict(zip(keys, words, strict=True))))
    return wheels


def collect_wheels(lock: list[LockedWheel], platform: Platform, cache: Path) -> list[Path]:
    """Return the files of the wheels that `platform` needs, downloading what is not in `cache`.

    Raises:
        ValueError: what was downloaded is not what the lock promises.
        subprocess.CalledProcessError: pip could not get it.
    """
    chosen = [wheel for wheel in lock if wheel.platform in ("any", platform.name)]
    return [_cached(wheel, cache) or _downloaded(wheel, platform, cache) for wheel in chosen]


def _cached(wheel: LockedWheel, cache: Path) -> Path | None:
    pattern = f"{wheel.name}-{wheel.version}-{wheel.python_tag}-*.whl"
    return next((path for path in cache.glob(pattern) if _digest(path) == wheel.sha256), None)


def _downloaded(wheel: LockedWheel, platform: Platform, cache: Path) -> Path:
    tags = [] if wheel.platform == "any" else ["--platform", platform.wheel_tag]
    _pip_download(f"{wheel.name}=={wheel.version}", cache, *tags)
    path = _cached(wheel, cache)
    if path is None:
        raise ValueError(
            f"{wheel.name} {wheel.version}: no file with SHA-256 {wheel.sha256} came; if the new "
            "one is right, run `python build_addon.py lock` and review the change"
        )
    return path


def refresh_lock(repository: Path, cache: Path) -> list[LockedWheel]:
    """Lock the wheels of the engine's plain dependencies, as pinned in pyproject.toml."""
    text = (repository / "pyproject.toml").read_text(encoding="utf-8")
    wheels = []
    for requirement in tomllib.loads(text)["project"]["dependencies"]:
        name, _, version = requirement.partition("==")
        if re.split(r"[<>=!~; \[]", requirement)[0].lower() in BLENDERS_OWN:
            continue
        if not version:
            raise ValueError(f"{requirement}: pin it with == in pyproject.toml to bundle it")
        _pip_download(requirement, cache)
        path = next(cache.glob(f"{name.replace('-', '_')}-{version}-*-any.whl"))
        python_tag = path.stem.split("-")[-3]
        digest = _digest(path)
        wheels.append(
            LockedWheel(
                name=name, version=version, platform="any", python_tag=python_tag, sha256=digest
            )
        )
    lines = HEADER + "".join(f"{wheel.line}\n" for wheel in wheels)
    (repository / "wheels" / "wheels.lock").write_text(lines, encoding="utf-8")
    return wheels


def _pip_download(requirement: str, folder: Path, *tags: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    command += ["--no-deps", "--only-binary=:all:", "--python-version=3.11", *tags]
    subprocess.run([*command, "--dest", str(folder), requirement], check=True)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
