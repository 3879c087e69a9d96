"""The file of a splat object inside the .blend and out again (D10 of the design).

Bytes lie in `Mesh.pcgs.packed` with their digest, so copies of an object that share their mesh
share them, and copies that do not still share one decoded file.
"""

from pathlib import Path

import bpy

from pcgs_engine.atomic_file import write_atomically
from pcgs_engine.codec.inspect import inspect_stream
from pcgs_engine.errors import PcgsError

from ..files.byte_source import PackedSource, packed_digest
from .create import set_file
from .file_of_object import absolute_path, file_of_object
from .session import wake

__all__ = ["PackingError", "pack", "unpack"]

LARGEST = 1 << 30
"""Bytes; Blender keeps packed data in memory and copies it on saving."""


class PackingError(PcgsError):
    """The file cannot be packed; the message says why and what to do."""


def pack(obj: bpy.types.Object) -> int:
    """Store the file of an object in its mesh; returns its bytes.

    Raises:
        PackingError: there is no whole `.pcgs` file to pack.
    """
    path = absolute_path(obj)
    if path is None or path.suffix.lower() == ".ply":
        raise PackingError("only .pcgs files can be packed; encode the splats first")
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise PackingError(
                f"{size / 1e6:.0f} MB are too much for a .blend; export a lower level and pack that"
            )
        data = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise PackingError(f"{path}: cannot be read ({reason}); use Find File") from error
    _check_whole(path, data)
    obj.data.pcgs.packed = data
    obj.data.pcgs.digest = packed_digest(data)
    file_of_object(obj)
    wake()
    return len(data)


def unpack(obj: bpy.types.Object, path: Path) -> None:
    """Write the packed bytes to `path` and show that file.

    Raises:
        OutputError: the file cannot be written; the bytes stay packed.
    """
    write_atomically(path, obj.data.pcgs.packed)
    set_file(obj, path, levels=obj.pcgs.levels)


def _check_whole(path: Path, data: bytes) -> None:
    """Refuse what would be packed broken for ever."""
    source = PackedSource(data, "")
    try:
        with source.open() as stream:
            whole = inspect_stream(stream).complete
    except PcgsError as error:
        raise PackingError(f"{path.name}: {error}") from error
    if not whole:
        raise PackingError(f"{path.name} is not complete; wait for its download or fetch it again")
