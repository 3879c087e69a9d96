"""COLMAP's text model files (`cameras.txt`, `images.txt`, `points3D.txt`) -> records."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..errors import SceneError
from .colmap_model import ColmapImage, ColmapPoints, lens_from_params
from .scene import Distortion
from .source_file import read_file_text

__all__ = ["read_cameras_text", "read_images_text", "read_points_text"]


def read_cameras_text(path: Path) -> dict[int, Distortion]:
    """Return the lens of every camera id in `cameras.txt`.

    Raises:
        SceneError: unreadable, a malformed line, or an unsupported camera model.
    """
    cameras = {}
    for number, line in _data_lines(path):
        place = f"{path}: line {number}"
        fields = _split(line, 4, None, place, "CAMERA_ID MODEL WIDTH HEIGHT PARAMS")
        camera_id, width, height = (_integer(fields[i], place) for i in (0, 2, 3))
        params = _floats(fields[4:], place)
        cameras[camera_id] = lens_from_params(fields[1], (width, height), params, place)
    return cameras


def read_images_text(path: Path) -> list[ColmapImage]:
    """Return the registered images in `images.txt`; every second line (observations) is skipped.

    Raises:
        SceneError: unreadable or a malformed line.
    """
    images = []
    lines = _data_lines(path, keep_blank=True)
    for number, line in lines:
        if not line.strip():
            continue
        place = f"{path}: line {number}"
        wanted = "IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME"
        fields = _split(line, 10, 9, place, wanted)
        numbers = _floats(fields[1:8], place)
        images.append(
            ColmapImage(
                name=fields[9].strip(),
                camera_id=_integer(fields[8], place),
                quaternion=numbers[:4],
                translation=numbers[4:],
            )
        )
        next(lines, None)  # the line of observations, which may be blank
    return images


def read_points_text(path: Path) -> ColmapPoints:
    """Return positions and colours in `points3D.txt`; tracks are skipped.

    Raises:
        SceneError: unreadable or a malformed line.
    """
    positions, colors = [], []
    for number, line in _data_lines(path):
        place = f"{path}: line {number}"
        fields = _split(line, 7, 8, place, "POINT3D_ID X Y Z R G B ERROR TRACK")
        positions.append(_floats(fields[1:4], place))
        color = [_integer(field, place) for field in fields[4:7]]
        if min(color) < 0 or max(color) > 255:
            raise SceneError(f"{place}: colour is {color}, wanted 0..255; export the model anew")
        colors.append(color)
    return ColmapPoints(
        positions=np.array(positions, dtype=np.float64).reshape(-1, 3),
        colors=np.array(colors, dtype=np.uint8).reshape(-1, 3),
    )


def _data_lines(path: Path, *, keep_blank: bool = False) -> Iterator[tuple[int, str]]:
    """Yield numbered lines that are no comments (and not blank, unless `keep_blank`)."""
    for number, line in enumerate(read_file_text(path).split("\n"), start=1):
        if not line.startswith("#") and (keep_blank or line.strip()):
            yield number, line


def _split(line: str, least: int, max_splits: int | None, place: str, wanted: str) -> list[str]:
    """Return the fields of `line`, at least `least` of them."""
    fields = line.split(maxsplit=-1 if max_splits is None else max_splits)
    if len(fields) < least:
        raise SceneError(f"{place}: {len(fields)} fields, wanted {wanted}; export the model anew")
    return fields


def _integer(field: str, place: str) -> int:
    try:
        return int(field)
    except ValueError as error:
        raise SceneError(f"{place}: {field!r} is no whole number; export it anew") from error


def _floats(fields: Sequence[str], place: str) -> tuple[float, ...]:
    try:
        return tuple(map(float, fields))
    except ValueError as error:
        raise SceneError(f"{place}: {error}, wanted numbers; export the model anew") from error
