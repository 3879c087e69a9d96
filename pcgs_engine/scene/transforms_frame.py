"""One frame of a transforms file -> PosedImage.

Dialects: NeRF synthetic, instant-ngp, nerfstudio.
"""

import math
from collections.abc import Mapping
from pathlib import Path

from ..errors import SceneError
from .image_file import read_image_size
from .mask_file import find_mask
from .pose import camera_from_opengl
from .posed_image import PosedImage
from .scene import Distortion

__all__ = ["find_frame_image", "frame_lens", "read_frame"]

_SUFFIXES = (".png", ".jpg", ".jpeg", ".PNG", ".JPG", ".JPEG", ".webp", ".tif", ".tiff", ".bmp")
_CAMERA_MODELS = ("PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "FULL_OPENCV")
_COEFFICIENTS = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")


def find_frame_image(folder: Path, file_path: str) -> Path | None:
    """Return the image a frame names, trying common endings, or None where there is none."""
    base = folder / file_path.replace("\\", "/")
    if base.is_file():
        return base
    candidates = (base.with_name(base.name + suffix) for suffix in _SUFFIXES if base.name)
    return next((path for path in candidates if path.is_file()), None)


def read_frame(
    folder: Path,
    name: str,
    *,
    frame: Mapping[str, object],
    shared: Mapping[str, object],
    place: str,
) -> PosedImage:
    """Return the image of one frame.

    Args:
        folder: the scene folder.
        name: the image file, relative to `folder`, with forward slashes.
        frame: entry of `frames`; its intrinsics override the shared ones.
        shared: top level of the file.
        place: file and frame for messages.

    Raises:
        SceneError: bad pose or intrinsics, an unsupported camera model, a missing mask.
    """
    if "transform_matrix" not in frame:
        raise SceneError(f"{place}: no transform_matrix, wanted 4 rows of 4; add the pose")
    image_path = folder / name
    return PosedImage(
        image_path=image_path,
        mask_path=_mask_path(frame, folder, place) or find_mask(folder, name),
        lens=frame_lens({**shared, **frame}, image_path, place),
        world_to_camera=camera_from_opengl(frame["transform_matrix"], place),
    )


def frame_lens(values: Mapping[str, object], image_path: Path, place: str) -> Distortion:
    """Return the lens that the keys of a frame describe; sizes default to the image's.

    Raises:
        SceneError: values that no camera has, or a model that is not supported.
    """
    _check_model(values, place)
    width = _number(values, "w", place)
    height = _number(values, "h", place)
    if width is None or height is None:
        width, height = read_image_size(image_path)
    if not (round(width) >= 1 and round(height) >= 1):
        raise SceneError(f"{place}: w, h are {width}, {height}, wanted at least 1; correct them")
    fx = _focal(values, "x", width, place)
    fy = _focal(values, "y", height, place) or fx
    if fx is None or fy is None:
        raise SceneError(f"{place}: neither fl_x nor camera_angle_x; add one of them")
    cx, cy = _number(values, "cx", place), _number(values, "cy", place)
    coefficients = tuple(_number(values, name, place) or 0.0 for name in _COEFFICIENTS)
    return Distortion(
        width=round(width),
        height=round(height),
        fx=fx,
        fy=fy,
        cx=width / 2 if cx is None else cx,
        cy=height / 2 if cy is None else cy,
        coefficients=coefficients if any(coefficients) else (),
    )


def _focal(values: Mapping[str, object], axis: str, size: float, place: str) -> float | None:
    """Return the focal length along `axis` from `fl_` or the field of view, if given."""
    focal = _number(values, f"fl_{axis}", place)
    if focal is not None:
        if focal <= 0:
            raise SceneError(f"{place}: fl_{axis} is {focal}, wanted more than 0; correct it")
        return focal
    angle = _number(values, f"camera_angle_{axis}", place)
    if angle is None:
        return None
    if not 0 < angle < math.pi:
        raise SceneError(
            f"{place}: camera_angle_{axis} is {angle}, wanted radians in (0, π); correct it"
        )
    return size / 2 / math.tan(angle / 2)


def _check_model(values: Mapping[str, object], place: str) -> None:
    """Refuse fisheye and other non-perspective lenses."""
    model = values.get("camera_model", "OPENCV")
    if values.get("is_fisheye"):
        model = "OPENCV_FISHEYE"
    if model not in _CAMERA_MODELS:
        raise SceneError(
            f"{place}: camera_model {model} is not supported, wanted one of "
            f"{', '.join(_CAMERA_MODELS)}; undistort the images first"
        )
    # nerfstudio's k4 multiplies r⁸, OpenCV's divides by 1 + k4 r² ...: alone it is ambiguous.
    if _number(values, "k4", place) and "k5" not in values and "k6" not in values:
        raise SceneError(
            f"{place}: k4 is {values['k4']} without k5 and k6, wanted 0 (programs disagree on "
            "its meaning); undistort the images first"
        )


def _number(values: Mapping[str, object], key: str, place: str) -> float | None:
    """Return a finite number, or None where the key is absent or null."""
    value = values.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not _finite(value):
        raise SceneError(f"{place}: {key} is {value!r}, wanted a finite number; correct it")
    return float(value)


def _finite(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _mask_path(frame: Mapping[str, object], folder: Path, place: str) -> Path | None:
    """Return the frame's own mask, if it names one."""
    name = frame.get("mask_path")
    if name is None or name == "":
        return None
    path = folder / str(name).replace("\\", "/")
    if not path.is_file():
        raise SceneError(f"{place}: mask {name} is missing; restore it or remove mask_path")
    return path
