"""The first 64 bytes: round trip, every lie refused, other versions named."""

import struct
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from pcgs_engine.bitstream import HEADER_SIZE, DecodeLimits, Header
from pcgs_engine.errors import (
    BitstreamError,
    LimitExceededError,
    MalformedError,
    UnsupportedVersionError,
)

LIMITS = DecodeLimits()
HEADER = Header(levels=1, anchors=7, file_size=524, chunks=11, table_size=376)
FORMAT_MD = Path(__file__).resolve().parents[3] / "docs" / "FORMAT.md"


def sealed(data):
    return bytes(data[:-4]) + struct.pack("<I", zlib.crc32(data[:-4]))


def with_version(major, minor):
    data = bytearray(HEADER.pack())
    struct.pack_into("<HH", data, 8, major, minor)
    return sealed(data)


def test_header_packed_is_64_bytes_and_reads_back():
    data = HEADER.pack()
    assert len(data) == HEADER_SIZE
    assert Header.unpack(data, LIMITS) == HEADER


def test_header_example_bytes_match_format_md():
    wanted = (
        "89504347530d0a1a" "0100" "0000" "00000000" "01000000" "07000000" "0c02000000000000"
        "0b000000" "78010000" "02000000" "02000000"
    )  # fmt: skip
    assert HEADER.pack()[:48].hex() == wanted
    assert wanted in FORMAT_MD.read_text(encoding="utf-8").replace(" ", "")


@pytest.mark.parametrize("place", range(HEADER_SIZE))
def test_header_flipped_byte_raises(place):
    data = bytearray(HEADER.pack())
    data[place] ^= 0x10
    with pytest.raises(BitstreamError):
        Header.unpack(bytes(data), LIMITS)


@pytest.mark.parametrize(
    ("place", "value", "error"),
    [
        (12, 1, UnsupportedVersionError),
        (40, 1, UnsupportedVersionError),
        (44, 1, UnsupportedVersionError),
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
    struct.pack_into("<I", data, place, value)
    with pytest.raises(error):
        Header.unpack(sealed(data), LIMITS)


@pytest.mark.parametrize(
    ("version", "remedy"),
    [
        ((3, 0), "install PCGS with format 3.0 or newer"),
        ((1, 7), "install PCGS with format 1.7 or newer"),
        ((0, 3), "encode the scene again or install PCGS with format 0.3"),
        ((0, 2), "encode the scene again or install PCGS with format 0.2"),
    ],
)
def test_header_other_version_says_which_reader_is_needed(version, remedy):
    number = f"{version[0]}.{version[1]}"
    with pytest.raises(UnsupportedVersionError) as caught:
        Header.unpack(with_version(*version), LIMITS)
    assert str(caught.value) == f"written by format {number}, this reader reads 1.0: {remedy}"


def test_header_newer_version_is_named_whatever_follows_it():
    data = with_version(3, 0)[:12] + b"\xff" * 52
    with pytest.raises(UnsupportedVersionError, match=r"format 3\.0"):
        Header.unpack(data, LIMITS)


def test_header_limits_may_be_lowered():
    data = replace(HEADER, levels=3).pack()
    assert Header.unpack(data, LIMITS).levels == 3
    with pytest.raises(LimitExceededError, match="level count"):
        Header.unpack(data, DecodeLimits(levels=2))
