"""Header, table, JSON and zlib chunks: round trips, and every lie is refused before allocating."""

import struct
import zlib
from dataclasses import replace

import pytest

from pcgs_engine.bitstream import (
    HEADER_SIZE,
    ChunkRecord,
    ChunkTable,
    DecodeLimits,
    Header,
    LevelRecord,
    compress,
    decompress,
    is_ancillary,
    pack_json,
    table_size,
    unpack_json,
)
from pcgs_engine.errors import (
    BitstreamError,
    ConfigError,
    LimitExceededError,
    MalformedError,
    UnsupportedVersionError,
)

LIMITS = DecodeLimits()
START = HEADER_SIZE + table_size(1, 2)
CHUNKS = (
    ChunkRecord(code=b"MODL", level=0, count=1, offset=START, size=5, decoded_size=0, crc=9),
    ChunkRecord(code=b"POSN", level=1, count=7, offset=START + 8, size=3, decoded_size=0, crc=1),
)
TABLE = ChunkTable(
    levels=(LevelRecord(level=1, anchors=7, gaussians=9, end=START + 11, digest=b"12345678"),),
    chunks=CHUNKS,
)
HEADER = Header(levels=1, anchors=7, file_size=START + 11, chunks=2, table_size=table_size(1, 2))


def sealed(data):
    return data[:-4] + struct.pack("<I", zlib.crc32(data[:-4]))


def test_header_packed_is_64_bytes_and_reads_back():
    data = HEADER.pack()
    assert len(data) == HEADER_SIZE
    assert Header.unpack(data, LIMITS) == HEADER


def test_header_example_bytes_match_format_md():
    assert HEADER.pack()[:28].hex() == (
        "8950434753" + "0d0a1a" + "0100" + "0000" + "00000000" + "01000000" + "07000000"
        + f"{START + 11:02x}000000"
    )  # fmt: skip


@pytest.mark.parametrize("place", range(HEADER_SIZE))
def test_header_flipped_byte_raises(place):
    data = bytearray(HEADER.pack())
    data[place] ^= 0x10
    with pytest.raises(BitstreamError):
        Header.unpack(bytes(data), LIMITS)


@pytest.mark.parametrize(
    ("place", "value", "error"),
    [
        (8, 2, UnsupportedVersionError),
        (12, 1, UnsupportedVersionError),
        (40, 7, UnsupportedVersionError),
        (44, 7, UnsupportedVersionError),
        (16, 17, LimitExceededError),
        (16, 0, MalformedError),
        (20, 2**31, LimitExceededError),
        (24, 0, BitstreamError),
        (32, 5000, LimitExceededError),
        (36, 2**21, LimitExceededError),
    ],
)
def test_header_impossible_field_with_valid_crc_raises(place, value, error):
    data = bytearray(HEADER.pack())
    struct.pack_into("<H" if place == 8 else "<I", data, place, value)
    with pytest.raises(error):
        Header.unpack(sealed(bytes(data)), LIMITS)


def test_header_newer_minor_version_is_read():
    data = bytearray(HEADER.pack())
    struct.pack_into("<H", data, 10, 9)
    assert Header.unpack(sealed(bytes(data)), LIMITS).format_version == "1.9"


def test_table_packed_reads_back():
    assert ChunkTable.unpack(TABLE.pack(), HEADER, LIMITS) == TABLE


def test_table_flipped_byte_raises():
    good = TABLE.pack()
    for place in range(len(good)):
        data = bytearray(good)
        data[place] ^= 0x40
        with pytest.raises(BitstreamError):
            ChunkTable.unpack(bytes(data), HEADER, LIMITS)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"offset": START + 9}, MalformedError),
        ({"offset": START}, MalformedError),
        ({"level": 2}, MalformedError),
        ({"level": 0}, MalformedError),
        ({"size": 2**32 - 1}, MalformedError),
        ({"code": b"XXXX"}, UnsupportedVersionError),
    ],
)
def test_table_contradicting_chunk_raises(changes, error):
    table = replace(TABLE, chunks=(CHUNKS[0], replace(CHUNKS[1], **changes)))
    with pytest.raises(error):
        ChunkTable.unpack(table.pack(), HEADER, LIMITS)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"level": 2}, MalformedError),
        ({"end": START + 12}, MalformedError),
        ({"anchors": 8}, MalformedError),
        ({"anchors": 3 * 1024 + 1}, LimitExceededError),
    ],
)
def test_table_contradicting_level_raises(changes, error):
    table = replace(TABLE, levels=(replace(TABLE.levels[0], **changes),))
    with pytest.raises(error):
        ChunkTable.unpack(table.pack(), HEADER, LIMITS)


def test_table_known_chunk_twice_raises():
    twice = replace(CHUNKS[0], offset=START + 8, size=3)
    with pytest.raises(MalformedError, match="twice"):
        ChunkTable.unpack(replace(TABLE, chunks=(CHUNKS[0], twice)).pack(), HEADER, LIMITS)


def test_table_of_wrong_length_raises():
    with pytest.raises(MalformedError, match="table of"):
        ChunkTable.unpack(TABLE.pack(), replace(HEADER, chunks=3), LIMITS)


def test_is_ancillary_lower_case_first_letter_may_be_skipped():
    assert is_ancillary(b"mETA")
    assert not is_ancillary(b"MODL")


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
