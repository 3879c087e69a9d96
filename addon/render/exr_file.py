"""Reads the OpenEXR files that `base_picture` has Blender write: path in, channels out.

Only that kind: one part, scan lines, no compression. Blender bundles no EXR reader that all of
4.2 to 5.2 share, and its own image loader gives one pass of many. No bpy in this file.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["ExrError", "read_exr"]

MAGIC = 20000630
SCANLINE_VERSION = 2
LONG_NAMES = 0x400
NO_COMPRESSION = 0
SIZE_MAX = 65_536
DTYPES = {0: np.dtype("<u4"), 1: np.dtype("<f2"), 2: np.dtype("<f4")}
"""OpenEXR's pixel types."""


class ExrError(Exception):
    """The file is not what Blender was asked to write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    channels: tuple[tuple[str, np.dtype], ...]
    width: int
    height: int
    end: int
    """Byte after the header."""


def read_exr(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """Return every channel as `[H, W] float32`, bottom row first as in Blender's images.

    Raises:
        ExrError: another kind of EXR, or cut off.
    """
    data = path.read_bytes()
    try:
        header = _read_header(data)
    except (IndexError, ValueError, struct.error) as error:
        raise ExrError(f"{path.name}: broken header ({error})") from error
    row_bytes = header.width * sum(dtype.itemsize for _, dtype in header.channels)
    start = header.end + 8 * header.height  # after the table of line offsets
    stop = start + header.height * (row_bytes + 8)  # every line: y, length, pixels
    if len(data) < stop:
        raise ExrError(f"{path.name}: {len(data)} bytes, wanted {stop}")
    lines = np.frombuffer(data, np.uint8, stop - start, start).reshape(header.height, -1)[:, 8:]
    found = {}
    at = 0
    for name, dtype in header.channels:
        size = header.width * dtype.itemsize
        values = np.ascontiguousarray(lines[:, at : at + size]).view(dtype)
        found[name] = np.ascontiguousarray(values[::-1], dtype=np.float32)
        at += size
    return found


def _read_header(data: bytes) -> _Header:
    magic, version = struct.unpack_from("<ii", data)
    if magic != MAGIC or version & ~LONG_NAMES != SCANLINE_VERSION:
        raise ExrError(f"EXR version word is {version:#x}, wanted one part of scan lines")
    attributes: dict[str, bytes] = {}
    at = 8
    while data[at]:
        name, at = _text(data, at)
        _, at = _text(data, at)
        (size,) = struct.unpack_from("<i", data, at)
        attributes[name] = data[at + 4 : at + 4 + size]
        at += 4 + size
    if attributes["compression"][0] != NO_COMPRESSION:
        raise ExrError(f"EXR compression is {attributes['compression'][0]}, wanted none")
    x0, y0, x1, y1 = struct.unpack("<4i", attributes["dataWindow"])
    width, height = x1 - x0 + 1, y1 - y0 + 1
    if not (1 <= width <= SIZE_MAX and 1 <= height <= SIZE_MAX):
        raise ExrError(f"EXR size is {width} x {height}")
    return _Header(
        channels=_channels(attributes["channels"]), width=width, height=height, end=at + 1
    )


def _channels(data: bytes) -> tuple[tuple[str, np.dtype], ...]:
    found = []
    at = 0
    while data[at]:
        name, at = _text(data, at)
        kind, _, x_step, y_step = struct.unpack_from("<iiii", data, at)
        if kind not in DTYPES or (x_step, y_step) != (1, 1):
            raise ExrError(f"EXR channel {name} has type {kind}, sampling {x_step} x {y_step}")
        found.append((name, DTYPES[kind]))
        at += 16
    return tuple(found)


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(0, at)
    return data[at:end].decode("utf-8", errors="replace"), end + 1
