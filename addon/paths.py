"""Folders the add-on writes to: settings in, absolute paths out. Nothing is created here."""

import hashlib
import re
from pathlib import Path

import bpy

from .ids import ADDON_PACKAGE

__all__ = [
    "cache_folder",
    "default_cache_folder",
    "engine_environment",
    "new_run_folder",
    "result_file",
    "runs_folder",
]

_ENVIRONMENT = "engine"
_RUNS = "runs"


def default_cache_folder() -> Path:
    """Return the folder Blender gives this extension for its own files."""
    try:
        return Path(bpy.utils.extension_path_user(ADDON_PACKAGE, path=""))
    except ValueError:  # not installed as an extension (tests, a source checkout)
        return Path(bpy.utils.user_resource("DATAFILES", path="pcgs"))


def cache_folder(chosen: str) -> Path:
    """Return the user's choice of cache folder, or Blender's where it is empty."""
    return Path(bpy.path.abspath(chosen)) if chosen else default_cache_folder()


def engine_environment(chosen_cache: str) -> Path:
    """Return the private Python environment of the engine; it may not exist."""
    return cache_folder(chosen_cache) / _ENVIRONMENT


def runs_folder(images: Path, chosen_cache: str) -> Path:
    """Return where the runs of an image folder are kept.

    Beside the saved .blend in `<name>_pcgs`, so that the work travels with the file; in the cache
    folder while the file has never been saved.
    """
    blend = bpy.data.filepath
    if blend:
        base = Path(blend).with_suffix("")
        return base.with_name(base.name + "_pcgs") / _folder_name(images)
    return cache_folder(chosen_cache) / _RUNS / _folder_name(images)


def new_run_folder(images: Path, chosen_cache: str) -> Path:
    """Return the first run folder of an image folder that is not there yet."""
    base = runs_folder(images, chosen_cache)
    number = 1
    while (base / f"run_{number:03d}").exists():
        number += 1
    return base / f"run_{number:03d}"


def result_file(run: Path, images: Path) -> Path:
    """Return the `.pcgs` file that the run of an image folder ends in."""
    return run / f"{_plain_name(images)}.pcgs"


def _folder_name(images: Path) -> str:
    # Two folders may both be called "images": the digest of the whole path keeps them apart.
    digest = hashlib.sha256(str(images.absolute()).encode()).hexdigest()[:8]
    return f"{_plain_name(images)}-{digest}"


def _plain_name(images: Path) -> str:
    return re.sub(r"[^\w.-]+", "_", images.absolute().name).strip("._") or "scene"
