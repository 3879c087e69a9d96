"""One extension zip: a platform and a flavour in, a checked file in the output folder out.

`viewer` carries the engine's wheel with its C library and the wheels of wheels.lock, which Blender
puts into its own site-packages. `engine` adds a folder of training wheels for one Python; they are
not in the manifest, because torch must never enter Blender's Python: "Set Up Engine" finds them.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from .engine_wheel import engine_version, write_engine_wheel
from .fixed_zip import files_below, write_zip
from .manifest import manifest_faults, staged_manifest
from .native_library import build_native_library
from .platforms import Platform
from .third_party import components_of_zip, notices
from .training_wheels import TrainingWheels, UncheckedSource, collect_training_wheels
from .wheel_lock import collect_wheels, read_lock

__all__ = [
    "ENGINE_WHEELS",
    "BuildFolders",
    "BuiltZip",
    "Flavour",
    "ZipTarget",
    "build_zip",
    "zip_content",
]

ENGINE_WHEELS = "engine_wheels"
"""Folder in the extension; addon/setup/wheel_source.py looks there."""
NOTICES = "THIRD_PARTY.md"


class Flavour(Enum):
    """What a zip is for."""

    VIEWER = "viewer"
    ENGINE = "engine"


LARGEST = {Flavour.VIEWER: 15_000_000, Flavour.ENGINE: 2**31 - 1}
"""Bytes: a viewer beyond that carries something it should not; more than 2 GiB many places that
files are offered at, and programs that unpack them, do not take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipTarget:
    """Which zip."""

    platform: Platform
    flavour: Flavour
    python: str
    """Version the training wheels are for; empty: there are none."""

    def file_name(self, version: str) -> str:
        """Return the zip's name."""
        python = f"-py{self.python.replace('.', '')}" if self.python else ""
        return f"pcgs-{version}-{self.platform.name}-{self.flavour.value}{python}.zip"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFolders:
    """Where things come from and go to."""

    repository: Path
    output: Path
    build: Path
    wheels: tuple[Path, ...]
    """Folders of wheels that are looked through before anything is downloaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltZip:
    """What came of it."""

    path: Path
    unchecked: tuple[Path, ...]
    note: str


def build_zip(target: ZipTarget, folders: BuildFolders, source: UncheckedSource) -> BuiltZip:
    """Build one zip; nothing in the repository changes.

    Raises:
        ValueError: the manifest, a wheel or the result is not as it must be.
        OSError: a folder cannot be written, or the disk is full.
    """
    repository, build = folders.repository, folders.build
    version, platform = engine_version(repository), target.platform
    cache = build / "wheels"
    locked = read_lock(repository / "wheels" / "wheels.lock")
    bundled = collect_wheels(locked, platform, folders.wheels, cache)
    training = TrainingWheels(files=(), unchecked=(), note="")
    if target.flavour is Flavour.ENGINE:
        training = collect_training_wheels(
            repository, platform.name, target.python, folders.wheels, cache, source
        )
    with tempfile.TemporaryDirectory(prefix="engine-", dir=build) as scratch:
        native = build_native_library(repository, platform, Path(scratch), build, folders.wheels)
        engine = write_engine_wheel(repository, native.path, platform, Path(scratch))
        wheels = {path.name: path.read_bytes() for path in (engine, *bundled)}
    components = components_of_zip(platform, native.licences, bundled, training.files)
    content: dict[str, bytes | Path] = {
        **zip_content(repository, version, target, wheels),
        **{f"{ENGINE_WHEELS}/{path.name}": path for path in training.files},
        NOTICES: notices(components).encode(),
    }
    path = folders.output / target.file_name(version)
    write_zip(path, content)
    largest = LARGEST[target.flavour]
    if path.stat().st_size > largest:
        raise ValueError(
            f"{path.name}: {path.stat().st_size} bytes, at most {largest}; see what its listing "
            "shows that should not be there"
        )
    return BuiltZip(path=path, unchecked=training.unchecked, note=training.note)


def zip_content(
    repository: Path, version: str, target: ZipTarget, wheels: Mapping[str, bytes]
) -> dict[str, bytes]:
    """Return the files that every zip has; ValueError lists what the manifest has wrong."""
    source = (repository / "blender_manifest.toml").read_text(encoding="utf-8")
    manifest = staged_manifest(source, version, target.platform, list(wheels), target.python)
    content = files_below(repository / "addon")
    content |= {f"wheels/{name}": data for name, data in wheels.items()}
    content["LICENSE"] = (repository / "LICENSE").read_bytes()
    faults = manifest_faults(manifest, list(content))
    if faults:
        raise ValueError("blender_manifest.toml: " + "; ".join(faults))
    content["blender_manifest.toml"] = manifest.encode()
    return content
