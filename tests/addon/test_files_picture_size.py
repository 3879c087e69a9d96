"""Sizes of thumbnails without decoding them."""

import struct

import pytest

from addon.files.picture_size import is_showable, picture_size

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 128, 96)
JPEG = (
    b"\xff\xd8\xff\xe0" + struct.pack(">H", 16) + bytes(14)
    + b"\xff\xff\xc0" + struct.pack(">HBHH", 17, 8, 96, 128) + bytes(20)
)  # fmt: skip


@pytest.mark.parametrize("data", [PNG, JPEG])
def test_size_is_read_from_the_header(data):
    assert picture_size(data) == (128, 96)
    assert is_showable(data)


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", PNG[:20], JPEG[:22], b"\xff\xd8\xff", b"\xff\xd8" * 9]
)
def test_bytes_without_a_size_are_not_shown(data):
    assert picture_size(data) is None
    assert not is_showable(data)


def test_picture_beyond_512_pixels_is_not_shown():
    large = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 40_000, 96)
    assert picture_size(large) == (40_000, 96)
    assert not is_showable(large)
