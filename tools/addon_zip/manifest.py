"""The manifest inside the zip: the repository's text, platform and wheels in, the staged text out.

Also checks what Blender's own validator accepts silently and then trips over.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from .platforms import PLATFORMS, Platform

__all__ = ["BLENDERS_OF_PYTHON", "manifest_faults", "staged_manifest"]

KNOWN_KEYS = {
    "schema_version", "id", "version", "name", "tagline", "maintainer", "type", "tags", "license",
    "blender_version_min", "blender_version_max", "website", "copyright", "permissions",
    "platforms", "wheels", "build",
}  # fmt: skip
KNOWN_TAGS = {"3D View", "Import-Export", "Render", "Camera", "Object", "Scene"}
KNOWN_PERMISSIONS = {"files", "network", "clipboard", "camera", "microphone"}
OLDEST_BLENDER = (4, 2, 0)
"""The first with extensions."""
BLENDERS_OF_PYTHON = {"3.11": ("4.2.0", "5.1.0"), "3.13": ("5.1.0", "")}
"""The first Blender with that Python, and the first with a later one; empty: none yet."""
LONGEST_LINE = 64
WHEEL_NAME = re.compile(
    r"\./wheels/[A-Za-z0-9_.]+-[A-Za-z0-9_.+!]+-(?P<python>[a-z0-9.]+)-(?P<abi>[a-z0-9_.]+)"
    r"-(?P<platform>[A-Za-z0-9_.]+)\.whl"
)


def staged_manifest(
    source: str, version: str, platform: Platform, wheels: Sequence[str], python: str = ""
) -> str:
    """Return the manifest of one zip.

    Args:
        source: the repository's manifest.
        version: of the zip.
        platform: it is for.
        wheels: file names in its `wheels/` folder.
        python: version of the only Python it is for; empty: any.

    Raises:
        ValueError: the repository's manifest has not the lines that are changed.
    """
    text = _replaced(source, "version", version)
    lists = f"platforms = {_array([platform.name])}\nwheels = "
    lists += _array([f"./wheels/{name}" for name in sorted(wheels)]) + "\n"
    if python:
        # So that Blender itself refuses the zip of the other Python, and says why.
        first, after = BLENDERS_OF_PYTHON[python]
        text = _replaced(text, "blender_version_min", first)
        lists = (f'blender_version_max = "{after}"\n' if after else "") + lists
    head, bracket, tables = text.partition("\n[")
    return f"{head.rstrip()}\n{lists}{bracket}{tables}"


def _replaced(text: str, key: str, value: str) -> str:
    text, count = re.subn(rf'(?m)^{key} = ".*"$', f'{key} = "{value}"', text)
    if count != 1:
        raise ValueError(f"blender_manifest.toml: {count} lines with {key}, wanted one")
    return text


def _array(items: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{item}"' for item in items) + "]"


def manifest_faults(text: str, files: Sequence[str]) -> list[str]:
    """Return what is wrong with a staged manifest beside `files`, one line each; empty: good."""
    fields = tomllib.loads(text)
    return [
        *(f"unknown key {key}" for key in fields.keys() - KNOWN_KEYS),
        *(f"unknown tag {tag}" for tag in set(fields.get("tags", ())) - KNOWN_TAGS),
        *_line_faults(fields),
        *_version_faults(fields),
        *_wheel_faults(fields, files),
    ]


def _line_faults(fields: dict[str, Any]) -> Iterator[str]:
    permissions = fields.get("permissions", {})
    yield from (f"unknown permission {key}" for key in permissions.keys() - KNOWN_PERMISSIONS)
    for what, line in {"tagline": fields["tagline"], **permissions}.items():
        if len(line) > LONGEST_LINE or not line[-1:].isalnum():
            yield f"{what}: wanted at most {LONGEST_LINE} characters without a full stop: {line!r}"
    for entry in fields["license"]:
        if not entry.startswith("SPDX:"):
            yield f"license {entry!r}: wanted SPDX: and an identifier"


def _version_faults(fields: dict[str, Any]) -> Iterator[str]:
    if not re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?", fields["version"]):
        yield f"version {fields['version']}: wanted three numbers"
    for key in ("blender_version_min", "blender_version_max"):
        value = fields.get(key, "4.2.0")
        if not re.fullmatch(r"\d+\.\d+\.\d+", value):
            yield f"{key} {value}: wanted three numbers"
        elif tuple(map(int, value.split("."))) < OLDEST_BLENDER:
            yield f"{key} {value}: extensions begin with 4.2.0"


def _wheel_faults(fields: dict[str, Any], files: Sequence[str]) -> Iterator[str]:
    known = {platform.name: platform for platform in PLATFORMS}
    platforms = [known[name] for name in fields["platforms"] if name in known]
    if len(platforms) != len(fields["platforms"]) or not platforms:
        yield f"platforms {fields['platforms']}: wanted some of {sorted(known)}"
    for wheel in fields["wheels"]:
        tags = WHEEL_NAME.fullmatch(wheel)
        if tags is None:
            yield f"wheel {wheel}: wanted ./wheels/NAME-VERSION-PYTHON-ABI-PLATFORM.whl"
            continue
        if str(PurePosixPath(wheel)) not in files:
            yield f"wheel {wheel}: is not in the zip"
        fitting = {"any", *(platform.wheel_tag for platform in platforms)}
        if tags["platform"] not in fitting:
            yield f"wheel {wheel}: is for {tags['platform']}, wanted {sorted(fitting)}"
        if not (tags["python"].startswith("py3") or tags["abi"] == "abi3"):
            yield f"wheel {wheel}: serves one Python version only, Blenders have 3.11 to 3.14"
    listed = {str(PurePosixPath(wheel)) for wheel in fields["wheels"]}
    for name in files:
        if re.fullmatch(r"wheels/.*\.whl", name) and name not in listed:
            yield f"{name}: is in the zip and not in the manifest"
