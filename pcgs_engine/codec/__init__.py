"""The file codec: CodedModel to `.pcgs` bytes, and bytes to anchors, level by level."""

from ..entropy.backend import EntropyBackend, best_backend
from .decoder import ProgressiveDecoder, decode_file
from .encode import encode, encode_chunks
from .encoded_scene import EncodedScene
from .inspect import FileInfo, inspect_file
from .truncate import truncate_to_bytes, truncate_to_level

__all__ = [
    "EncodedScene",
    "EntropyBackend",
    "FileInfo",
    "ProgressiveDecoder",
    "best_backend",
    "decode_file",
    "encode",
    "encode_chunks",
    "inspect_file",
    "truncate_to_bytes",
    "truncate_to_level",
]
