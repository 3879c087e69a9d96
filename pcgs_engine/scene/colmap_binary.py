"""COLMAP's binary model files (`cameras.bin`, `images.bin`, `points3D.bin`) -> records.

Little-endian; every length is checked against the bytes that are there before anything is
allocated. Source of the layout: COLMAP, scene/reconstruction_io_binary.cc.
"""

import struct
from pathlib import Path

import numpy as np

from ..errors import SceneError
from .colmap_model import (
    CAMERA_MODEL_NAMES,
    ColmapImage,
    ColmapPoints,
    lens_from_params,
    parameter_count,
)
from .scene import Distortion
from .source_file import read_file_bytes

__all__ = ["read_cameras_binary", "read_images_binary", "read_points_binary"]

_COUNT = struct.Struct("<Q")
_CAMERA = struct.Struct("<iiQQ")
_IMAGE = struct.Struct("<i7di")
_POINT = struct.Struct("<Q3d3BdQ")
_OBSERVATION_BYTES = 24
"""x, y as float64 and the point's id as int64."""
_TRACK_ENTRY_BYTES = 8
"""Image id and observation index, int32 each."""
_LARGEST_IMAGE_SIDE = 1 << 24


class _Cursor:
    """Reads forward through the bytes of one file; running past the end is a SceneError."""

    __slots__ = ("data", "offset", "path")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = read_file_bytes(path)
        self.offset = 0

    def unpack(self, layout: struct.Struct, what: str) -> tuple[int | float, ...]:
        """Return the next values and step over them."""
        start = self.offset
        self.skip(layout.size, what)
        return layout.unpack_from(self.data, start)

    def skip(self, size: int, what: str) -> None:
        """Step over `size` bytes that must be there."""
        left = len(self.data) - self.offset
        if size > left:
            raise SceneError(
                f"{self.path}: truncated at byte {self.offset}: {what} needs {size} bytes, "
                f"{left} are left; copy or export the file again"
            )
        self.offset += size

    def count(self, what: str, smallest: int) -> int:
        """Return the next count, knowing that each item takes at least `smallest` bytes."""
        place = self.offset
        count = int(self.unpack(_COUNT, f"the number of {what}")[0])
        left = len(self.data) - self.offset
        if count * smallest > left:
            raise SceneError(
                f"{self.path}: truncated or damaged: byte {place} announces {count} {what}, "
                f"the {left} bytes after it hold at most {left // smallest}; export it again"
            )
        return count

    def text(self, what: str) -> str:
        """Return the next zero-terminated UTF-8 string."""
        end = self.data.find(b"\0", self.offset)
        if end < 0:
            raise SceneError(
                f"{self.path}: truncated at byte {self.offset}: {what} has no end; "
                "copy or export the file again"
            )
        try:
            text = self.data[self.offset : end].decode("utf-8")
        except UnicodeDecodeError as error:
            raise SceneError(
                f"{self.path}: {what} at byte {self.offset} is not UTF-8; export the file again"
            ) from error
        self.offset = end + 1
        return text

    def finish(self) -> None:
        """Check that nothing is left."""
        left = len(self.data) - self.offset
        if left:
            raise SceneError(
                f"{self.path}: {left} extra bytes after byte {self.offset}, wanted the end of the "
                "file; copy or export the file again"
            )


def read_cameras_binary(path: Path) -> dict[int, Distortion]:
    """Return the lens of every camera id in `cameras.bin`.

    Raises:
        SceneError: unreadable, truncated, damaged, or an unsupported camera model.
    """
    cursor = _Cursor(path)
    cameras = {}
    for _ in range(cursor.count("cameras", _CAMERA.size)):
        place = cursor.offset
        camera_id, model_id, width, height = map(int, cursor.unpack(_CAMERA, "a camera"))
        where = f"{path}: camera {camera_id} at byte {place}"
        known = 0 <= model_id < len(CAMERA_MODEL_NAMES)
        model = CAMERA_MODEL_NAMES[model_id] if known else f"number {model_id}"
        layout = struct.Struct(f"<{parameter_count(model, where)}d")
        params = tuple(map(float, cursor.unpack(layout, f"camera {camera_id}")))
        if max(width, height) > _LARGEST_IMAGE_SIDE:
            raise SceneError(f"{where}: size {width}x{height} is no image; export the file again")
        cameras[camera_id] = lens_from_params(model, (width, height), params, where)
    cursor.finish()
    return cameras


def read_images_binary(path: Path) -> list[ColmapImage]:
    """Return the registered images in `images.bin`; their 2-D observations are skipped.

    Raises:
        SceneError: unreadable, truncated or damaged.
    """
    cursor = _Cursor(path)
    images = []
    for _ in range(cursor.count("images", _IMAGE.size + 1 + _COUNT.size)):
        _, *numbers, camera_id = cursor.unpack(_IMAGE, "an image")
        name = cursor.text("an image name")
        observations = cursor.count(f"observations of image {name}", _OBSERVATION_BYTES)
        cursor.skip(observations * _OBSERVATION_BYTES, f"image {name}")
        images.append(
            ColmapImage(
                name=name,
                camera_id=int(camera_id),
                quaternion=tuple(numbers[:4]),
                translation=tuple(numbers[4:]),
            )
        )
    cursor.finish()
    return images


def read_points_binary(path: Path) -> ColmapPoints:
    """Return positions and colours in `points3D.bin`; tracks are skipped.

    Raises:
        SceneError: unreadable, truncated or damaged.
    """
    cursor = _Cursor(path)
    count = cursor.count("points", _POINT.size)
    positions = np.empty((count, 3), dtype=np.float64)
    colors = np.empty((count, 3), dtype=np.uint8)
    for index in range(count):
        _, x, y, z, red, green, blue, _, track = cursor.unpack(_POINT, f"point {index}")
        cursor.skip(int(track) * _TRACK_ENTRY_BYTES, f"track of point {index}")
        positions[index] = x, y, z
        colors[index] = red, green, blue
    cursor.finish()
    return ColmapPoints(positions=positions, colors=colors)
