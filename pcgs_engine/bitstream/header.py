"""The fixed 64 bytes in front: `Header` to bytes and back. FORMAT.md §2."""

import struct
import zlib
from dataclasses import dataclass

from ..errors import MalformedError, UnsupportedVersionError
from .checks import check_crc, check_limit
from .limits import DecodeLimits

__all__ = ["FORMAT_MAJOR", "FORMAT_MINOR", "HEADER_SIZE", "MAGIC", "Header"]

MAGIC = b"\x89PCGS\r\n\x1a"
HEADER_SIZE = 64
FORMAT_MAJOR, FORMAT_MINOR = 1, 0
PROFILE_INTEGER = 2
"""Context model evaluated in integers; 1 was float64."""
TABLE_BANK = 2
"""Probability tables of this package."""
LAYOUT = struct.Struct("<8sHHIIIQIIII12x")
TABLE_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the first 64 bytes say."""

    levels: int
    anchors: int
    """Anchors of the last level."""
    file_size: int
    chunks: int
    table_size: int
    """Bytes of the table that follows, its CRC and padding included."""
    major: int = FORMAT_MAJOR
    minor: int = FORMAT_MINOR

    @property
    def format_version(self) -> str:
        """`major.minor`."""
        return f"{self.major}.{self.minor}"

    def pack(self) -> bytes:
        """Return the 64 bytes."""
        body = LAYOUT.pack(
            MAGIC, self.major, self.minor, 0, self.levels, self.anchors, self.file_size,
            self.chunks, self.table_size, PROFILE_INTEGER, TABLE_BANK,
        )  # fmt: skip
        return body + struct.pack("<I", zlib.crc32(body))

    @classmethod
    def unpack(cls, data: bytes, limits: DecodeLimits) -> "Header":
        """Read and check the first 64 bytes.

        Raises:
            MalformedError: not a `.pcgs` file, or impossible sizes.
            UnsupportedVersionError: another format version, profile or table bank.
            ChecksumError: the header is damaged.
            LimitExceededError: a count is beyond `limits`.
        """
        if data[: len(MAGIC)] != MAGIC:
            raise MalformedError(
                f"header starts with {data[:8].hex()}, wanted {MAGIC.hex()}; not a .pcgs file"
            )
        _, major, minor, flags, levels, anchors, size, chunks, table, profile, bank = LAYOUT.unpack(
            data[: LAYOUT.size]
        )
        # Before the CRC: of a newer header only magic and version are known to be in place.
        _check_version(major, minor)
        check_crc("header", data[: HEADER_SIZE - 4], int.from_bytes(data[60:64], "little"))
        if flags or profile != PROFILE_INTEGER or bank != TABLE_BANK:
            raise UnsupportedVersionError(
                f"header: flags {flags}, profile {profile}, table bank {bank}; "
                f"wanted 0, {PROFILE_INTEGER}, {TABLE_BANK}; install a newer PCGS"
            )
        check_limit("header: level count", levels, limits.levels)
        check_limit("header: anchor count", anchors, limits.anchors)
        check_limit("header: anchor count", anchors, size * limits.anchors_per_byte)
        check_limit("header: chunk count", chunks, limits.chunks)
        check_limit("header: table size", table, TABLE_LIMIT)
        if levels < 1 or size < HEADER_SIZE + table:
            raise MalformedError(f"header: {levels} levels, table of {table} in {size} bytes")
        return cls(
            levels=levels, anchors=anchors, file_size=size, chunks=chunks, table_size=table,
            major=major, minor=minor,
        )  # fmt: skip


def _check_version(major: int, minor: int) -> None:
    """From 1.0 on readers know all older versions of their major; before, none but its own."""
    if major == FORMAT_MAJOR and minor <= FORMAT_MINOR:
        return
    found, own = f"{major}.{minor}", f"{FORMAT_MAJOR}.{FORMAT_MINOR}"
    remedy = f"install PCGS with format {found}" + (" or newer" if major else "")
    if (major, minor) < (FORMAT_MAJOR, FORMAT_MINOR):
        remedy = f"encode the scene again or {remedy}"
    raise UnsupportedVersionError(f"written by format {found}, this reader reads {own}: {remedy}")
