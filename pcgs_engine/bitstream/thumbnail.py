"""The picture in chunk tHMB: its bytes in, its kind out. FORMAT.md §4.1."""

import enum

from ..errors import MalformedError

__all__ = ["ImageKind", "image_kind"]


class ImageKind(enum.Enum):
    """Encodings a thumbnail may have; the value is the usual file suffix."""

    JPEG = ".jpg"
    PNG = ".png"


SIGNATURES = {b"\xff\xd8\xff": ImageKind.JPEG, b"\x89PNG\r\n\x1a\n": ImageKind.PNG}


def image_kind(data: bytes) -> ImageKind:
    """Return how a thumbnail is encoded, judged by its first bytes.

    Raises:
        MalformedError: neither JPEG nor PNG.
    """
    for signature, kind in SIGNATURES.items():
        if data.startswith(signature):
            return kind
    raise MalformedError(f"tHMB: thumbnail starts with {data[:8].hex()}, wanted JPEG or PNG")
