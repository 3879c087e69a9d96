"""Build the extension zip: `python build_addon.py [--platform NAME|all]`, a checkout in, dist/ out.

Writes `dist/pcgs-<version>-<platform>-viewer.zip`: the add-on, the engine's wheel with its C
library, and the wheels of wheels/wheels.lock. Everything is made in a scratch folder under
`build/`; the tree stays as it is, and the same checkout gives the same bytes.
`python build_addon.py lock` refreshes wheels/wheels.lock and addon/setup/engine.lock. Needs Python
3.11, pip and a package index (for ziglang, the C compiler); where a bpy or Blender is at hand it
validates the result.
"""

import argparse
import hashlib
import logging
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tools.addon_zip.engine_lock import refresh_engine_lock
from tools.addon_zip.engine_wheel import engine_version, write_engine_wheel
from tools.addon_zip.fixed_zip import files_below, write_zip
from tools.addon_zip.manifest import manifest_faults, staged_manifest
from tools.addon_zip.native_library import build_native_library
from tools.addon_zip.platforms import PLATFORMS, Platform, host_platform, platform_named
from tools.addon_zip.validator import validate_with_blender
from tools.addon_zip.wheel_lock import collect_wheels, read_lock, refresh_lock

REPOSITORY = Path(__file__).resolve().parent
FLAVOUR = "viewer"
LARGEST_ZIP = 15_000_000
"""Bytes; a viewer zip beyond that carries something it should not."""
LOG = logging.getLogger("build_addon")


def build_zip(platform: Platform, output: Path, build: Path) -> Path:
    """Build and check the zip of one platform; returns its path.

    Raises:
        ValueError: the manifest, a wheel or the result is not as it must be.
        subprocess.CalledProcessError: compiler or pip failed.
    """
    version = engine_version(REPOSITORY)
    third_party = collect_wheels(
        read_lock(REPOSITORY / "wheels" / "wheels.lock"), platform, build / "wheels"
    )
    with tempfile.TemporaryDirectory(prefix="engine-", dir=build) as scratch:
        library = build_native_library(REPOSITORY, platform, Path(scratch), build)
        engine = write_engine_wheel(REPOSITORY, library, platform, Path(scratch))
        wheels = {path.name: path.read_bytes() for path in (engine, *third_party)}
    content = zip_content(version, platform, wheels)
    path = output / f"pcgs-{version}-{platform.name}-{FLAVOUR}.zip"
    write_zip(path, content)
    if path.stat().st_size > LARGEST_ZIP:
        raise ValueError(f"{path.name}: {path.stat().st_size} bytes, at most {LARGEST_ZIP}")
    return path


def zip_content(
    version: str, platform: Platform, wheels: dict[str, bytes]
) -> dict[str, bytes]:  # fmt: skip
    """Return the files of the zip; ValueError lists what the manifest has wrong."""
    source = (REPOSITORY / "blender_manifest.toml").read_text(encoding="utf-8")
    manifest = staged_manifest(source, version, platform, list(wheels))
    content = files_below(REPOSITORY / "addon")
    content |= {f"wheels/{name}": data for name, data in wheels.items()}
    content["LICENSE"] = (REPOSITORY / "LICENSE").read_bytes()
    faults = manifest_faults(manifest, list(content))
    if faults:
        raise ValueError("blender_manifest.toml: " + "; ".join(faults))
    content["blender_manifest.toml"] = manifest.encode()
    return content


def report(path: Path) -> None:
    """Log what the zip holds, its size, its hash and Blender's verdict."""
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            LOG.info("%10d  %s", entry.file_size, entry.filename)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    LOG.info("%s: %d bytes, sha256 %s", path, path.stat().st_size, digest)
    judge = validate_with_blender(path)
    LOG.info("%s", f"validated by {judge}" if judge else "not validated: no bpy or Blender here")


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; returns the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    parser = argparse.ArgumentParser(prog="build_addon.py", description=__doc__)
    parser.add_argument("action", nargs="?", choices=("zip", "lock"), default="zip")
    names = [platform.name for platform in PLATFORMS]
    parser.add_argument("--platform", choices=["host", "all", *names], default="host")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "dist", metavar="DIR")
    parser.add_argument("--build", type=Path, default=REPOSITORY / "build", metavar="DIR")
    options = parser.parse_args(arguments)
    build = options.build.resolve()
    build.mkdir(parents=True, exist_ok=True)
    try:
        if options.action == "lock":
            for wheel in refresh_lock(REPOSITORY, build / "wheels"):
                LOG.info("%s", wheel.line)
            LOG.info("%d lines in engine.lock", len(refresh_engine_lock(REPOSITORY, build)))
            return 0
        for platform in _chosen(options.platform):
            report(build_zip(platform, options.output.resolve(), build))
    except (ValueError, KeyError, OSError, subprocess.CalledProcessError) as error:
        LOG.error("build_addon: %s", error)  # noqa: TRY400 - one line, no traceback
        return 1
    return 0


def _chosen(name: str) -> list[Platform]:
    if name == "all":
        return list(PLATFORMS)
    return [host_platform() if name == "host" else platform_named(name)]


if __name__ == "__main__":
    sys.exit(main())
