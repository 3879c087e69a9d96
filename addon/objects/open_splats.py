"""Bring a splat file into the scene: a path in, an object that shows it out.

The one way in for the import operator, drag and drop, and the training's preview and result.
"""

from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Quaternion, Vector

from pcgs_engine.errors import SplatFileError

from ..files.file_front import FileFront, read_file_front
from ..properties.object_settings import LEVEL_MAX
from .create import create_splat_object
from .up_axis import UpAxis, guess_up, rotation_to_z, up_in_metadata

__all__ = ["FoundFile", "find_file", "open_splats", "place_splats", "upright"]

PLY_START = b"ply"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """A file that can be shown, and what its front says."""

    path: Path
    front: FileFront


def open_splats(
    context: bpy.types.Context,
    path: Path,
    *,
    level: int = LEVEL_MAX,
    up: UpAxis = UpAxis.AUTO,
) -> bpy.types.Object:
    """Create an object for a `.pcgs` or splat PLY; its levels appear as they are decoded.

    Args:
        context: its collection takes the object.
        path: absolute path; a file that is still arriving is fine.
        level: level shown in the viewport, where the file has it.
        up: which direction of the file becomes +Z.

    Raises:
        PcgsError: not such a file, another version, or damaged.
        OSError: it cannot be read.
    """
    return place_splats(context, find_file(path), level=level, up=up)


def find_file(path: Path) -> FoundFile:
    """Look at the front of a file.

    For several files call this for all before `place_splats`: that starts decoding threads, beside
    which reading takes many times longer.

    Raises:
        PcgsError: not such a file, another version, or damaged.
        OSError: it cannot be read.
    """
    is_ply = path.suffix.lower() == ".ply"
    return FoundFile(path=path, front=_ply_front(path) if is_ply else read_file_front(path))


def place_splats(
    context: bpy.types.Context, found: FoundFile, *, level: int, up: UpAxis
) -> bpy.types.Object:
    """Create the object of a file and start decoding."""
    return create_splat_object(
        context,
        found.path,
        name=found.front.title,
        levels=found.front.levels,
        level=level,
        rotation=upright(found.front, up),
    )


def upright(front: FileFront, up: UpAxis) -> Quaternion:
    """Return the rotation that makes a file stand upright in Blender."""
    if up.value is not None:
        return rotation_to_z(Vector(up.value))
    stated = up_in_metadata(front.metadata)
    return rotation_to_z(guess_up(front.camera_centres) if stated is None else stated)


def _ply_front(path: Path) -> FileFront:
    with path.open("rb") as stream:
        if stream.read(len(PLY_START)) != PLY_START:
            raise SplatFileError("no PLY file; choose a splat PLY or a .pcgs")
    return FileFront(
        title=path.stem,
        levels=1,
        metadata={},
        camera_centres=np.zeros((0, 3), np.float32),
        missing_bytes=0,
    )
