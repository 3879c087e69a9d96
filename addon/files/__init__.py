"""Splat files: background decoding of `.pcgs` and PLY. No bpy in this package."""

from .file_state import FileState
from .registry import SplatFiles, splat_files
from .splat_file import Bounds, CloudKey, LevelCloud, SplatFile

__all__ = [
    "Bounds",
    "CloudKey",
    "FileState",
    "LevelCloud",
    "SplatFile",
    "SplatFiles",
    "splat_files",
]
