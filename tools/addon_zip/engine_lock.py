"""The lock of the engine's environment: pins of pyproject.toml in, addon/setup/engine.lock out.

One line a wheel, in pip's requirements format with its SHA-256; the comment behind it says how
large it is, where it belongs and what its file is called. Resolved by uv, because pip judges
environment markers by the machine it runs on and so cannot resolve for another one. uv asks the
package index and downloads no wheel.
"""

import os
import subprocess
import sys
import tomllib
import urllib.parse
import venv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path, PurePosixPath
from typing import Any

__all__ = ["refresh_engine_lock"]

UV = "uv==0.13.9"
LOCK = Path("addon", "setup", "engine.lock")
PLATFORMS = {
    "linux-x64": "x86_64-manylinux_2_28",
    "windows-x64": "x86_64-pc-windows-msvc",
    "macos-arm64": "aarch64-apple-darwin",
}
"""Blender's name: uv's. Where torch has wheels and Blender has official builds."""
PYTHONS = ("3.11", "3.13")
"""Of Blender 4.2 to 5.0, and from 5.1 on."""
OLDEST_MACOS = "14.0"
"""The oldest that torch has wheels for."""
WITHOUT_CUDA = "windows-x64"
"""Torch's wheel for it on the package index is a CPU build: what it needs, every build needs."""
HEADER = """\
# What "Set Up Engine" installs, in pip's requirements format; made by `build_addon.py lock`.
# Behind each line: bytes, platforms, Python versions, builds (any, or only with CUDA), file.
"""


@dataclass(slots=True)
class _Wheel:
    name: str
    version: str
    sha256: str
    size: int
    file: str
    targets: set[tuple[str, str]] = field(default_factory=set)


def refresh_engine_lock(repository: Path, tools: Path) -> list[str]:
    """Resolve for every platform and Python and write the lock; returns its lines.

    Raises:
        ValueError: the index does not say how large a wheel is.
        subprocess.CalledProcessError: uv could not be installed or found no solution.
    """
    text = (repository / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    extras = project["optional-dependencies"]
    plain = [*project["dependencies"], *extras["train"]]
    uv = _uv(tools)
    needed_by_all = {
        package["name"]
        for version in PYTHONS
        for package in _resolve(uv, plain, WITHOUT_CUDA, version, tools)
    }
    wheels: dict[str, _Wheel] = {}
    for platform, version in product(PLATFORMS, PYTHONS):
        wanted = plain if platform.startswith("macos") else [*plain, *extras["cuda"]]
        for package in _resolve(uv, wanted, platform, version, tools):
            for wheel in _wheels(package):
                wheels.setdefault(wheel.sha256, wheel).targets.add((platform, version))
    lines = [
        line
        for wheel in sorted(wheels.values(), key=lambda w: (w.name, w.file))
        for line in _lines(wheel, cuda=wheel.name not in needed_by_all)
    ]
    (repository / LOCK).write_text(HEADER + "".join(f"{x}\n" for x in lines), encoding="utf-8")
    return lines


def _uv(tools: Path) -> Path:
    """Return the pinned uv, installed below `tools` once."""
    folder = tools / UV.replace("==", "-")
    scripts = folder / ("Scripts" if sys.platform == "win32" else "bin")
    if not any(scripts.glob("uv*")):
        venv.create(folder, with_pip=True)
        pip = [str(scripts / "python"), "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--quiet", UV], check=True)
    return scripts / "uv"


def _resolve(
    uv: Path, requirements: Iterable[str], platform: str, python: str, scratch: Path
) -> list[dict[str, Any]]:
    """Return the packages of one target as the standard lock file (PEP 751) has them."""
    output = scratch / "pylock.engine.toml"
    output.unlink(missing_ok=True)  # else its versions would be preferred
    command = [str(uv), "pip", "compile", "-", "--quiet", "--no-header", "--only-binary=:all:"]
    command += ["--python-platform", PLATFORMS[platform], "--python-version", python]
    subprocess.run(
        [*command, "--format", "pylock.toml", "--output-file", str(output)],
        input="\n".join(requirements), text=True, check=True, stdout=subprocess.DEVNULL,
        env={**os.environ, "MACOSX_DEPLOYMENT_TARGET": OLDEST_MACOS},
    )  # fmt: skip
    packages: list[dict[str, Any]] = tomllib.loads(output.read_text(encoding="utf-8"))["packages"]
    output.unlink()
    return packages


def _wheels(package: dict[str, Any]) -> Iterator[_Wheel]:
    for wheel in package["wheels"]:
        file = urllib.parse.unquote(PurePosixPath(urllib.parse.urlsplit(wheel["url"]).path).name)
        if "size" not in wheel:
            raise ValueError(f"{file}: the package index does not say how large it is")
        yield _Wheel(
            name=package["name"],
            version=package["version"],
            sha256=wheel["hashes"]["sha256"],
            size=wheel["size"],
            file=file,
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
