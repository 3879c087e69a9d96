"""Width and height of a thumbnail: JPEG or PNG bytes in, pixels out, nothing decoded.

FORMAT.md §4.1: a reader must check the size itself before it decodes a picture.
"""

import struct

__all__ = ["LARGEST_SIDE", "is_showable", "picture_size"]

LARGEST_SIDE = 512
"""Pixels."""

_PNG = b"\x89PNG\r\n\x1a\n"
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG markers that carry the size; the three left out are tables of the same range."""
_STANDALONE = frozenset(range(0xD0, 0xDA)) | {0x01}
"""JPEG markers without a length."""


def is_showable(data: bytes) -> bool:
    """Return whether a thumbnail keeps to the format's size."""
    size = picture_size(data)
    return size is not None and all(0 < side <= LARGEST_SIDE for side in size)


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height; None where they cannot be found."""
    if data.startswith(_PNG):
        if len(data) < 24 or data[12:16] != b"IHDR":
            return None
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    return _jpeg_size(data) if data.startswith(b"\xff\xd8") else None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Walk over the segments up to the first frame header."""
    place = 2
    while place + 9 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker in _START_OF_FRAME:
            height, width = struct.unpack(">HH", data[place + 5 : place + 9])
            return width, height
        if marker in _STANDALONE or marker == 0xFF:
            place += 1 if marker == 0xFF else 2
            continue
        place += 2 + struct.unpack(">H", data[place + 2 : place + 4])[0]
    return None
