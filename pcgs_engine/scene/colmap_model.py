"""Records of a COLMAP sparse model, shared by the binary and the text reader."""

import math
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from ..errors import SceneError
from .scene import Distortion

__all__ = [
    "CAMERA_MODEL_NAMES",
    "ColmapImage",
    "ColmapPoints",
    "lens_from_params",
    "parameter_count",
]

CAMERA_MODEL_NAMES = (
    "SIMPLE_PINHOLE",
    "PINHOLE",
    "SIMPLE_RADIAL",
    "RADIAL",
    "OPENCV",
    "OPENCV_FISHEYE",
    "FULL_OPENCV",
    "FOV",
    "SIMPLE_RADIAL_FISHEYE",
    "RADIAL_FISHEYE",
    "THIN_PRISM_FISHEYE",
    "RAD_TAN_THIN_PRISM_FISHEYE",
)
"""Names by the model id of the binary format. Source: COLMAP, sensor/models.h."""

_FOCAL, _FOCALS = ("f", "cx", "cy"), ("fx", "fy", "cx", "cy")
_OPENCV = ("k1", "k2", "p1", "p2")
_PARAMETERS = MappingProxyType(
    {
        "SIMPLE_PINHOLE": _FOCAL,
        "PINHOLE": _FOCALS,
        "SIMPLE_RADIAL": (*_FOCAL, "k1"),
        "RADIAL": (*_FOCAL, "k1", "k2"),
        "OPENCV": (*_FOCALS, *_OPENCV),
        "FULL_OPENCV": (*_FOCALS, *_OPENCV, "k3", "k4", "k5", "k6"),
    }
)
"""Order of the parameters of each model read here. Source: COLMAP, sensor/models.h."""
_COEFFICIENTS = (*_OPENCV, "k3", "k4", "k5", "k6")


@dataclass(frozen=True, slots=True, kw_only=True)
class ColmapImage:
    """One registered image: pose is world to camera, OpenCV axes."""

    name: str
    camera_id: int
    quaternion: tuple[float, ...]
    """w x y z."""
    translation: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColmapPoints:
    """Sparse points."""

    positions: npt.NDArray[np.float64]
    """`[P, 3]`."""
    colors: npt.NDArray[np.uint8]
    """`[P, 3]`, sRGB."""


def parameter_count(model: str, place: str) -> int:
    """Return how many parameters the camera model `model` has.

    Raises:
        SceneError: a fisheye or unknown model; the message says how to convert it.
    """
    names = _PARAMETERS.get(model)
    if names is None:
        raise SceneError(
            f"{place}: camera model {model} is not supported, wanted one of "
            f"{', '.join(_PARAMETERS)}; run COLMAP's image_undistorter and use its output"
        )
    return len(names)


def lens_from_params(
    model: str, size: tuple[int, int], params: tuple[float, ...], place: str
) -> Distortion:
    """Return the lens of a COLMAP camera.

    Args:
        model: COLMAP's name of the camera model.
        size: image width and height in pixels.
        params: in COLMAP's order for this model.
        place: file and camera for messages.

    Raises:
        SceneError: unknown model, wrong number of parameters, or values no camera has.
    """
    wanted = parameter_count(model, place)
    if len(params) != wanted:
        raise SceneError(
            f"{place}: {len(params)} parameters for {model}, wanted {wanted}; export it anew"
        )
    values = dict(zip(_PARAMETERS[model], params, strict=True))
    fx, fy = values.get("fx", values.get("f", 0.0)), values.get("fy", values.get("f", 0.0))
    width, height = size
    if width < 1 or height < 1 or not all(map(math.isfinite, params)) or min(fx, fy) <= 0:
        raise SceneError(
            f"{place}: size {width}x{height} and parameters {list(params)}, wanted a positive "
            "size, positive focal lengths and finite numbers; export the model anew"
        )
    coefficients = tuple(values.get(name, 0.0) for name in _COEFFICIENTS)
    return Distortion(
        width=width,
        height=height,
        fx=fx,
        fy=fy,
        cx=values["cx"],
        cy=values["cy"],
        coefficients=coefficients if any(coefficients) else (),
    )
