"""Bytes of a `.pcgs` file: header, chunk table, limits, JSON and zlib chunks. FORMAT.md §1–4."""

from .bounded_zlib import compress, decompress
from .checks import check_crc, check_limit
from .chunk_digest import NO_DIGEST, chained_digest, holds_integers
from .chunk_order import OPTIONAL, SCENE_CHUNKS, check_chunk_order, level_chunks
from .chunk_table import (
    ALIGNMENT,
    ChunkRecord,
    ChunkTable,
    LevelRecord,
    laid_out_size,
    table_size,
)
from .chunk_type import ChunkType, is_ancillary
from .header import HEADER_SIZE, MAGIC, Header
from .json_chunk import pack_json, unpack_json
from .limits import DecodeLimits
from .thumbnail import ImageKind, image_kind

__all__ = [
    "ALIGNMENT",
    "HEADER_SIZE",
    "MAGIC",
    "NO_DIGEST",
    "OPTIONAL",
    "SCENE_CHUNKS",
    "ChunkRecord",
    "ChunkTable",
    "ChunkType",
    "DecodeLimits",
    "Header",
    "ImageKind",
    "LevelRecord",
    "chained_digest",
    "check_chunk_order",
    "check_crc",
    "check_limit",
    "compress",
    "decompress",
    "holds_integers",
    "image_kind",
    "is_ancillary",
    "laid_out_size",
    "level_chunks",
    "pack_json",
    "table_size",
    "unpack_json",
]
