"""Sparse points in a PLY file -> positions and colours."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import plyfile

from ..errors import SceneError
from .source_file import read_file_bytes, unreadable

__all__ = ["SparsePoints", "read_point_file"]

_GREY = 128
_LONGEST_COUNT = 18
"""Decimal digits: fewer than 2**63."""
_REMEDY = "wanted vertices with x, y, z; export it anew, or delete it to have points made up"


@dataclass(frozen=True, slots=True, kw_only=True)
class SparsePoints:
    """Points with colours."""

    positions: npt.NDArray[np.float32]
    """`[P, 3]`, world coordinates."""
    colors: npt.NDArray[np.uint8]
    """`[P, 3]`, sRGB."""


def read_point_file(path: Path) -> SparsePoints:
    """Return the points in a PLY file; points without colour are grey.

    Raises:
        SceneError: unreadable, not a PLY file, truncated, or without x, y, z.
    """
    _check_counts(path)
    try:
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
            table = plyfile.PlyData.read(str(path), mmap=False)["vertex"].data
            positions = np.stack([table[axis] for axis in "xyz"], axis=1).astype(np.float32)
        return SparsePoints(positions=positions, colors=_colors(table))
    except OSError as error:
        raise unreadable(path, error) from error
    except (plyfile.PlyParseError, LookupError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise SceneError(f"{path}: not a usable PLY file ({reason}), {_REMEDY}") from error


def _check_counts(path: Path) -> None:
    """Check the announced element counts against the file's size, before plyfile allocates."""
    data = read_file_bytes(path)
    header = data[: data.find(b"end_header") + 1]
    for element, count in re.findall(rb"^element[ \t]+(\S+)[ \t]+(\d+)", header, re.MULTILINE):
        if len(count) > _LONGEST_COUNT or int(count) > len(data):
            raise SceneError(
                f"{path}: announces {count.decode()[:_LONGEST_COUNT]} of "
                f"{element.decode(errors='replace')}, not a usable PLY file of {len(data)} bytes, "
                f"{_REMEDY}"
            )


def _colors(table: npt.NDArray[np.void]) -> npt.NDArray[np.uint8]:
    """Return `[P, 3]` colours of the vertex table; floats count from 0 to 1."""
    names = ("red", "green", "blue")
    if not set(names) <= set(table.dtype.names or ()):
        return np.full((len(table), 3), _GREY, dtype=np.uint8)
    colors = np.stack([table[name] for name in names], axis=1)
    if np.issubdtype(colors.dtype, np.floating):
        colors = np.rint(np.nan_to_num(colors) * 255)
    return np.asarray(np.clip(colors, 0, 255), dtype=np.uint8)
