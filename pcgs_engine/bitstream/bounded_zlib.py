"""zlib streams of known length: bytes in, bytes out, never more than announced."""

import zlib

from ..errors import MalformedError

__all__ = ["compress", "decompress"]


def compress(data: bytes) -> bytes:
    """Return a zlib stream at the highest effort."""
    return zlib.compress(data, 9)


def decompress(place: str, data: bytes, size: int) -> bytes:
    """Return exactly `size` bytes.

    Raises:
        MalformedError: the stream is damaged, longer or shorter, or bytes follow it.
    """
    inflater = zlib.decompressobj()
    try:
        result = inflater.decompress(data, size + 1)
    except zlib.error as error:
        raise MalformedError(f"{place}: damaged zlib stream ({error})") from error
    if len(result) != size or not inflater.eof or inflater.unused_data:
        raise MalformedError(f"{place}: zlib stream does not hold exactly {size} bytes")
    return result
