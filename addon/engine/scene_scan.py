"""An image folder in, what the panel and the viewport show of it out. No bpy."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .environment import EnvironmentReport
from .script_task import ScriptError, run_script

__all__ = ["ScanAnswer", "ScannedView", "SceneScan", "scan_images"]

SCRIPT = Path(__file__).with_name("scan_scene.py")
SCAN_SECONDS = 900.0
"""Sets without points get some made up from matched features, which reads every image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedView:
    """One image and its pinhole camera."""

    name: str
    image: Path
    world_to_camera: npt.NDArray[np.float64]
    """`[4, 4]`, OpenCV axes (docs/conventions.md)."""
    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneScan:
    """What was found in an image folder."""

    folder: Path
    kind: str
    """`colmap` or `transforms`."""
    train_views: int
    test_views: int
    extent: float
    """Size of the camera path in world units."""
    distorted: int
    """Views whose stored image has lens distortion."""
    views: tuple[ScannedView, ...]
    """Training views, then held-out ones."""
    points: npt.NDArray[np.float32]
    """`[P, 3]`, world coordinates."""
    point_colors: npt.NDArray[np.uint8]
    """`[P, 3]`, sRGB."""
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanAnswer:
    """What became of a scan, and of the check of the engine before it."""

    report: EnvironmentReport
    scan: SceneScan | None = None
    error: str = ""
    """Why there is no scan."""


def scan_images(folder: Path, python: Path, *, own_site: bool, max_size: int = 1600) -> SceneScan:
    """Read cameras, points and image headers with the engine's own reader. Takes a second or more.

    Raises:
        EngineStartError: there is no engine to ask.
        ScriptError: the folder is no usable image set; the message names the remedy.
    """
    with tempfile.TemporaryDirectory(prefix="pcgs-scan-") as temporary:
        arrays = Path(temporary) / "scene.npz"
        arguments = [str(folder), str(arrays), str(max_size)]
        try:
            answer = run_script(python, SCRIPT, arguments, own_site=own_site, timeout=SCAN_SECONDS)
        except ScriptError as error:
            raise ScriptError(f"{error}; press Check Engine in the add-on's preferences") from error
        if "error" in answer:
            raise ScriptError(str(answer["error"]))
        with np.load(arrays, allow_pickle=False) as loaded:
            return _scene_scan(folder, answer, {name: loaded[name] for name in loaded.files})


def _scene_scan(
    folder: Path, answer: Mapping[str, object], arrays: Mapping[str, npt.NDArray[np.generic]]
) -> SceneScan:
    images, names = answer["images"], answer["names"]
    warnings = answer["warnings"]
    if not (isinstance(images, list) and isinstance(names, list) and isinstance(warnings, list)):
        raise ScriptError("the engine gave no list of images; set the training engine up again")
    views = [
        ScannedView(
            name=name,
            image=Path(image),
            world_to_camera=pose,
            width=int(pinhole[0]),
            height=int(pinhole[1]),
            fx=float(pinhole[2]),
            fy=float(pinhole[3]),
            cx=float(pinhole[4]),
            cy=float(pinhole[5]),
        )
        for name, image, pose, pinhole in zip(
            names, images, arrays["world_to_camera"], arrays["pinhole"], strict=True
        )
    ]
    return SceneScan(
        folder=folder,
        kind=str(answer["kind"]),
        train_views=int(str(answer["train_views"])),
        test_views=int(str(answer["test_views"])),
        extent=float(str(answer["extent"])),
        distorted=int(str(answer["distorted"])),
        views=tuple(views),
        points=arrays["points"],
        point_colors=arrays["point_colors"],
        warnings=tuple(str(text) for text in warnings),
    )
