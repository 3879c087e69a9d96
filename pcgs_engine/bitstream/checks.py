"""Comparing what a file says with what is allowed: values in, nothing or an error out."""

import zlib

from ..errors import ChecksumError, LimitExceededError

__all__ = ["check_crc", "check_limit"]


def check_limit(place: str, found: int, limit: int) -> None:
    """Raise LimitExceededError where `found` is above `limit`."""
    if found > limit:
        raise LimitExceededError(
            f"{place} is {found}, wanted at most {limit}; the file is damaged or hostile"
        )


def check_crc(place: str, data: bytes, wanted: int) -> None:
    """Raise ChecksumError unless the CRC-32 of `data` is `wanted`."""
    found = zlib.crc32(data)
    if found != wanted:
        raise ChecksumError(
            f"{place}: CRC-32 is {found:08x}, wanted {wanted:08x}; fetch the file again"
        )
