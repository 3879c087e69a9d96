"""A folder with `transforms.json`, or `transforms_train.json` and its siblings -> PosedSet."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import SceneError
from .point_file import SparsePoints, read_point_file
from .posed_image import PosedImage, PosedSet
from .source_file import read_file_text
from .transforms_frame import find_frame_image, read_frame

__all__ = ["TRAIN_FILE", "TRANSFORMS_FILE", "read_transforms"]

TRANSFORMS_FILE = "transforms.json"
TRAIN_FILE = "transforms_train.json"
_TEST_FILES = ("transforms_test.json", "transforms_val.json")
_TEST_LISTS = ("test_filenames", "val_filenames")
_POINT_FILES = ("points3d.ply", "points3D.ply", "sparse_pc.ply")
_NAMED = 3
"""How many file names a message lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _FrameSet:
    """The usable frames of one transforms file."""

    images: tuple[PosedImage, ...]
    names: tuple[str, ...]
    """Paths of the images as written in the file."""
    warnings: tuple[str, ...]


def read_transforms(folder: Path) -> PosedSet:
    """Read the transforms files in `folder`; `transforms.json` wins over the split files.

    Raises:
        SceneError: unreadable or invalid JSON, bad frames, no image file at all, bad points.
    """
    if (folder / TRANSFORMS_FILE).is_file():
        path = folder / TRANSFORMS_FILE
        data = _read_json(path)
        frames = _read_frames(folder, path, data)
        train, test = _split_by_lists(frames, data)
        warnings = frames.warnings
    else:
        path = folder / TRAIN_FILE
        data = _read_json(path)
        frames = _read_frames(folder, path, data)
        train, test, warnings = frames.images, None, frames.warnings
        test_path = next((folder / n for n in _TEST_FILES if (folder / n).is_file()), None)
        if test_path is not None:
            held_out = _read_frames(folder, test_path, _read_json(test_path))
            test, warnings = held_out.images, (*warnings, *held_out.warnings)
    points, point_warnings = _read_points(folder, data)
    return PosedSet(
        kind="transforms",
        train=train,
        test=test,
        points=points.positions,
        colors=points.colors,
        warnings=(*warnings, *point_warnings),
    )


def _read_json(path: Path) -> Mapping[str, object]:
    """Return the top level of a transforms file, which must be an object."""
    try:
        data = json.loads(read_file_text(path))
    except json.JSONDecodeError as error:
        raise SceneError(
            f"{path}: line {error.lineno}, column {error.colno}: invalid JSON "
            f"({error.msg.lower()}); correct the file or export it anew"
        ) from error
    except (RecursionError, ValueError) as error:
        raise SceneError(f"{path}: cannot be parsed as JSON; export the file anew") from error
    if not isinstance(data, dict):
        raise SceneError(f"{path}: top level is no object, wanted a key frames; export it anew")
    return data


def _read_frames(folder: Path, path: Path, data: Mapping[str, object]) -> _FrameSet:
    """Return the frames whose image is there; the others are named in a warning."""
    entries = data.get("frames")
    if not isinstance(entries, list) or not entries:
        raise SceneError(f"{path}: frames is missing or empty, wanted a list of images; add them")
    found: dict[str, PosedImage] = {}
    written, missing, doubled = [], [], []
    for index, entry in enumerate(entries):
        file_path = _file_path(entry, f"{path}: frame {index}")
        image_path = find_frame_image(folder, file_path)
        if image_path is None:
            missing.append(file_path)
            continue
        name = Path(os.path.relpath(image_path, folder)).as_posix()
        if name in found:
            doubled.append(file_path)
            continue
        place = f"{path}: frame {index} ({file_path})"
        found[name] = read_frame(folder, name, frame=entry, shared=data, place=place)
        written.append(file_path)
    if not found:
        raise SceneError(
            f"{path}: none of the {len(entries)} image files is there (first: {missing[0]}); "
            "restore the images or correct file_path"
        )
    return _FrameSet(
        images=tuple(found.values()),
        names=tuple(written),
        warnings=(
            *_count_warning(path, missing, len(entries), "have no image file"),
            *_count_warning(path, doubled, len(entries), "name an image again"),
        ),
    )


def _file_path(entry: object, place: str) -> str:
    """Return the `file_path` of a frame, which must be an object."""
    if not isinstance(entry, dict):
        raise SceneError(f"{place}: is {type(entry).__name__}, wanted an object; export it anew")
    file_path = entry.get("file_path")
    if not isinstance(file_path, str) or not file_path or "\0" in file_path:
        raise SceneError(f"{place}: file_path is {file_path!r}, wanted a path; correct it")
    return file_path


def _count_warning(path: Path, names: Sequence[str], total: int, fault: str) -> tuple[str, ...]:
    if not names:
        return ()
    listed = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    return (f"{path.name}: {len(names)} of {total} frames {fault}, skipped: {listed}",)


def _split_by_lists(
    frames: _FrameSet, data: Mapping[str, object]
) -> tuple[tuple[PosedImage, ...], tuple[PosedImage, ...] | None]:
    """Return training and test images as nerfstudio's file lists say; else no test images."""
    for key in _TEST_LISTS:
        listed = data.get(key)
        if not isinstance(listed, list):
            continue
        held_out = {str(name) for name in listed}
        pairs = list(zip(frames.names, frames.images, strict=True))
        test = tuple(image for name, image in pairs if name in held_out)
        train = tuple(image for name, image in pairs if name not in held_out)
        if test and train:
            return train, test
    return frames.images, None


def _read_points(folder: Path, data: Mapping[str, object]) -> tuple[SparsePoints, tuple[str, ...]]:
    """Return the sparse points the file names or that lie beside it; none is fine."""
    warnings: tuple[str, ...] = ()
    named = data.get("ply_file_path")
    if isinstance(named, str) and named:
        path = folder / named.replace("\\", "/")
        if path.is_file():
            return read_point_file(path), warnings
        warnings = (f"ply_file_path {named} is missing, looked for other points",)
    for name in _POINT_FILES:
        if (folder / name).is_file():
            return read_point_file(folder / name), warnings
    empty = SparsePoints(
        positions=np.zeros((0, 3), dtype=np.float32), colors=np.zeros((0, 3), dtype=np.uint8)
    )
    return empty, warnings
