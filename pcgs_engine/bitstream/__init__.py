"""Bytes of a `.pcgs` file: header, chunk table, limits, JSON and zlib chunks. FORMAT.md §1–4."""

from .bounded_zlib import compress, decompress
from .checks import check_crc, check_limit
from .chunk_table import ALIGNMENT, ChunkRecord, ChunkTable, LevelRecord, table_size
from .chunk_type import ChunkType, is_ancillary
from .header import HEADER_SIZE, MAGIC, Header
from .json_chunk import pack_json, unpack_json
from .limits import DecodeLimits

__all__ = [
    "ALIGNMENT",
    "HEADER_SIZE",
    "MAGIC",
    "ChunkRecord",
    "ChunkTable",
    "ChunkType",
    "DecodeLimits",
    "Header",
    "LevelRecord",
    "check_crc",
    "check_limit",
    "compress",
    "decompress",
    "is_ancillary",
    "pack_json",
    "table_size",
    "unpack_json",
]
