"""The engine's wheel for one platform: the package's files and its C library in, a `.whl` out.

`py3-none-<platform>`: the library is loaded by ctypes, so one wheel serves every Python version.
Written here and not by a build backend, because the same bytes must come out every time.
"""

import base64
import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .fixed_zip import files_below, write_zip
from .platforms import Platform

__all__ = ["engine_version", "write_engine_wheel"]

NATIVE_LIBRARIES = "pcgs_engine/native/lib/"


def engine_version(repository: Path) -> str:
    """Return the version in pyproject.toml."""
    return str(_project(repository)["version"])


def write_engine_wheel(
    repository: Path, library: Path, platform: Platform, folder: Path
) -> Path:  # fmt: skip
    """Write the wheel with `library` as its only native library; returns its path."""
    project = _project(repository)
    distribution = str(project["name"]).replace("-", "_")
    release = f"{distribution}-{project['version']}"
    tag = f"py3-none-{platform.wheel_tag}"
    package = files_below(repository / "pcgs_engine")
    content = {f"pcgs_engine/{name}": data for name, data in package.items()}
    content = {n: d for n, d in content.items() if not n.startswith(NATIVE_LIBRARIES)}
    content[NATIVE_LIBRARIES + library.name] = library.read_bytes()
    information = f"{release}.dist-info"
    content[f"{information}/METADATA"] = _metadata(project).encode()
    content[f"{information}/WHEEL"] = _wheel_file(tag).encode()
    content[f"{information}/entry_points.txt"] = _entry_points(project).encode()
    content[f"{information}/licenses/LICENSE"] = (repository / "LICENSE").read_bytes()
    content[f"{information}/RECORD"] = _record(content, f"{information}/RECORD").encode()
    path = folder / f"{release}-{tag}.whl"
    write_zip(path, content)
    return path


def _project(repository: Path) -> dict[str, Any]:
    text = (repository / "pyproject.toml").read_text(encoding="utf-8")
    project: dict[str, Any] = tomllib.loads(text)["project"]
    return project


def _metadata(project: Mapping[str, Any]) -> str:
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {project['name']}",
        f"Version: {project['version']}",
        f"Summary: {project['description']}",
        f"License-Expression: {project['license']}",
        "License-File: LICENSE",
        f"Requires-Python: {project['requires-python']}",
        *(f"Requires-Dist: {needed}" for needed in project["dependencies"]),
        *_extras(project.get("optional-dependencies", {})),
    ]
    return "\n".join(lines) + "\n"


def _extras(groups: Mapping[str, list[str]]) -> Iterator[str]:
    for extra, requirements in groups.items():
        yield f"Provides-Extra: {extra}"
        for requirement in requirements:
            name, _, marker = requirement.partition(";")
            condition = f'extra == "{extra}"'
            if marker.strip():
                condition = f"({marker.strip()}) and {condition}"
            yield f"Requires-Dist: {name.strip()}; {condition}"


def _wheel_file(tag: str) -> str:
    return f"Wheel-Version: 1.0\nGenerator: pcgs\nRoot-Is-Purelib: false\nTag: {tag}\n"


def _entry_points(project: Mapping[str, Any]) -> str:
    scripts = (f"{name} = {target}\n" for name, target in project["scripts"].items())
    return "[console_scripts]\n" + "".join(scripts)


def _record(content: Mapping[str, bytes], own_name: str) -> str:
    lines = []
    for name in sorted(content):
        digest = base64.urlsafe_b64encode(hashlib.sha256(content[name]).digest()).rstrip(b"=")
        lines.append(f"{name},sha256={digest.decode()},{len(content[name])}\n")
    return "".join(lines) + f"{own_name},,\n"
