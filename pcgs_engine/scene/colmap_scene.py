"""A folder with `images/` and a COLMAP sparse model -> PosedSet."""

import os
from pathlib import Path

import numpy as np

from ..errors import SceneError
from .colmap_binary import read_cameras_binary, read_images_binary, read_points_binary
from .colmap_model import ColmapImage, ColmapPoints
from .colmap_text import read_cameras_text, read_images_text, read_points_text
from .mask_file import find_mask
from .pose import camera_from_quaternion
from .posed_image import PosedImage, PosedSet
from .scene import Distortion

__all__ = ["find_colmap_model", "read_colmap"]

_MODEL_FOLDERS = ("sparse/0", "sparse", ".")
_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
_NAMED = 3
"""How many file names a message lists."""


def find_colmap_model(folder: Path) -> Path | None:
    """Return the folder of the COLMAP model inside `folder`, or None."""
    for name in _MODEL_FOLDERS:
        model = folder / name
        if (model / "cameras.bin").is_file() or (model / "cameras.txt").is_file():
            return model
    return None


def read_colmap(folder: Path, model: Path) -> PosedSet:
    """Read the COLMAP model in `model` (binary preferred) for the images in `folder`.

    Raises:
        SceneError: files are missing, truncated, damaged, or do not fit each other.
    """
    binary = (model / "cameras.bin").is_file()
    suffix = "bin" if binary else "txt"
    images_file = model / f"images.{suffix}"
    cameras_file = model / f"cameras.{suffix}"
    if binary:
        cameras, images = read_cameras_binary(cameras_file), read_images_binary(images_file)
    else:
        cameras, images = read_cameras_text(cameras_file), read_images_text(images_file)
    if not images:
        raise SceneError(f"{images_file}: lists no images, wanted at least one; run COLMAP again")
    paths = _image_paths(folder, images_file, images)
    posed = tuple(
        PosedImage(
            image_path=path,
            mask_path=find_mask(folder, Path(os.path.relpath(path, folder)).as_posix()),
            lens=_lens(cameras, image, images_file),
            world_to_camera=camera_from_quaternion(
                image.quaternion, image.translation, f"{images_file}: image {image.name}"
            ),
        )
        for image, path in zip(images, paths, strict=True)
    )
    points = _read_points(model, binary=binary)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite: dropped later
        positions = points.positions.astype(np.float32)
    return PosedSet(
        kind="colmap",
        train=posed,
        test=None,
        points=positions,
        colors=points.colors,
        warnings=_warnings(folder, model, paths),
    )


def _read_points(model: Path, *, binary: bool) -> ColmapPoints:
    """Return the points of the model; none where it has no points file."""
    path = model / ("points3D.bin" if binary else "points3D.txt")
    if not path.exists():
        return ColmapPoints(positions=np.zeros((0, 3)), colors=np.zeros((0, 3), dtype=np.uint8))
    return read_points_binary(path) if binary else read_points_text(path)


def _lens(cameras: dict[int, Distortion], image: ColmapImage, images_file: Path) -> Distortion:
    lens = cameras.get(image.camera_id)
    if lens is None:
        raise SceneError(
            f"{images_file}: image {image.name} has camera {image.camera_id}, wanted one of "
            f"{sorted(cameras)[:10]}; export the model anew"
        )
    return lens


def _image_paths(folder: Path, images_file: Path, images: list[ColmapImage]) -> list[Path]:
    """Return the file of every image; all must be there."""
    images_folder = folder / "images"
    if not images_folder.is_dir():
        raise SceneError(
            f"{folder}: {images_file.name} was found but no folder images/; put the photographs "
            "into images/"
        )
    names = [image.name.replace("\\", "/") for image in images]
    missing = [name for name in names if not (images_folder / name).is_file()]
    if missing:
        listed = ", ".join(missing[:_NAMED]) + (", ..." if len(missing) > _NAMED else "")
        raise SceneError(
            f"{images_file}: {len(missing)} of {len(names)} images are not in {images_folder}: "
            f"{listed}; restore these files or export a model without them"
        )
    return [images_folder / name for name in names]


def _warnings(folder: Path, model: Path, paths: list[Path]) -> tuple[str, ...]:
    """Return what a user should know: images without pose, further models."""
    found = []
    posed = set(paths)
    stored = [p for p in (folder / "images").rglob("*") if p.suffix.lower() in _IMAGE_SUFFIXES]
    unposed = sorted(path.name for path in stored if path not in posed)
    if unposed:
        listed = ", ".join(unposed[:_NAMED]) + (", ..." if len(unposed) > _NAMED else "")
        found.append(f"{len(unposed)} of {len(stored)} images have no pose, left out: {listed}")
    if model.name == "0" and (model.parent / "1").is_dir():
        found.append(f"{model.parent} holds several models, only {model.name} is used")
    return tuple(found)
