"""JSON and zlib chunks, thumbnails and limits: round trips, and every lie is refused."""

import pytest

from pcgs_engine.bitstream import (
    DecodeLimits,
    ImageKind,
    compress,
    decompress,
    image_kind,
    pack_json,
    unpack_json,
)
from pcgs_engine.errors import ConfigError, LimitExceededError, MalformedError

LIMITS = DecodeLimits()


def test_json_round_trips_and_refuses_other_values():
    values = {"title": "Ärger", "levels": [{"psnr": 21.5}]}
    assert unpack_json("x", pack_json(values, LIMITS), LIMITS) == values
    for bad in ({"a": float("nan")}, {"a": b"x"}):
        with pytest.raises(ConfigError):
            pack_json(bad, LIMITS)
    with pytest.raises(ConfigError, match="bytes"):
        pack_json({"a": "x" * 100}, DecodeLimits(metadata_bytes=50))


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{", b"\xff{}", b'{"a":NaN}', b"[" * 100_000, b'{"a":' + b"9" * 5000 + b"}"],
)
def test_unpack_json_bad_text_raises(data):
    with pytest.raises(MalformedError):
        unpack_json("mETA", data, LIMITS)


def test_unpack_json_too_long_raises():
    with pytest.raises(LimitExceededError, match="mETA"):
        unpack_json("mETA", b"{}" + b" " * 60, DecodeLimits(metadata_bytes=50))


def test_decompress_wrong_size_or_tail_raises():
    data = compress(b"abc" * 50)
    assert decompress("x", data, 150) == b"abc" * 50
    for stream, size in ((data, 149), (data, 151), (data + b"!", 150), (data[:-1], 150), (b"", 0)):
        with pytest.raises(MalformedError):
            decompress("x", stream, size)


def test_decompress_bomb_is_refused_without_inflating():
    bomb = compress(bytes(50_000_000))
    with pytest.raises(MalformedError):
        decompress("x", bomb, 1000)


def test_limits_zero_raises():
    with pytest.raises(ConfigError):
        DecodeLimits(anchors=0)


def test_image_kind_knows_jpeg_and_png_only():
    assert image_kind(b"\xff\xd8\xff\xe0...") is ImageKind.JPEG
    assert image_kind(b"\x89PNG\r\n\x1a\n...") is ImageKind.PNG
    for data in (b"", b"\xff\xd8", b"GIF89a", b"RIFF....WEBP"):
        with pytest.raises(MalformedError, match="wanted JPEG or PNG"):
            image_kind(data)
