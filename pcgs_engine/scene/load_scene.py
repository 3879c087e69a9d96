"""Folder with posed images -> Scene: first stage of the data flow."""

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, SceneError
from .colmap_scene import find_colmap_model, read_colmap
from .image_store import ImageStore
from .posed_image import PosedSet
from .scene import Scene, View
from .seed_points import make_points
from .source_file import unreadable
from .transforms_scene import TRAIN_FILE, TRANSFORMS_FILE, read_transforms
from .view_builder import build_views

__all__ = ["load_scene"]

_LISTED = 6
"""How many folder entries a message lists."""


def load_scene(
    path: Path,
    *,
    max_size: int = 1600,
    holdout: int = 8,
    background: tuple[float, float, float] = (0.0, 0.0, 0.0),
    seed: int = 0,
) -> Scene:
    """Return the scene in a folder: `transforms.json`, else COLMAP, else `transforms_train.json`.

    Image headers are read, pixels are not (unless the set has no points and some are made).

    Args:
        path: the scene folder.
        max_size: longer image side in pixels; larger images are shrunk, aspect kept.
        holdout: every `holdout`-th image by name is held out, from the first on, where the set
            names no test images; 0 holds out none.
        background: colour in 0..1 behind images with alpha.
        seed: for points that are made up.

    Raises:
        ConfigError: an argument is out of range.
        SceneError: the folder is no usable image set; the message names file and remedy.
    """
    _check_arguments(max_size, holdout, background)
    try:
        return _load(Path(path), max_size, holdout, background, seed)
    except OSError as error:
        raise unreadable(Path(error.filename or path), error) from error


def _load(
    folder: Path, max_size: int, holdout: int, background: tuple[float, float, float], seed: int
) -> Scene:
    posed = _finite_points(_read_posed(folder))
    train = build_views(folder, posed.train, max_size=max_size)
    warnings = [*posed.warnings, *train.warnings]
    if posed.test is None:
        train_views, test_views = _hold_out(train.views, holdout)
        if holdout and not test_views:
            warnings.append("one image only: it is used for training, none is held out")
    else:
        test = build_views(folder, posed.test, max_size=max_size)
        train_views, test_views = train.views, test.views
        warnings.extend(test.warnings)
    points, colors = posed.points, posed.colors
    if len(points) == 0:
        seeds = make_points(train_views, ImageStore(background), seed=seed)
        points, colors = seeds.positions, seeds.colors
        warnings.append(seeds.note)
    return Scene(
        path=folder,
        kind=posed.kind,
        train_views=train_views,
        test_views=test_views,
        points=points,
        point_colors=colors,
        background=background,
        warnings=tuple(warnings),
    )


def _read_posed(folder: Path) -> PosedSet:
    """Find out what the folder holds and read it."""
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        raise SceneError(f"{folder}: {found}, wanted a scene folder; check the path")
    model = find_colmap_model(folder)
    if (folder / TRANSFORMS_FILE).is_file():
        posed = read_transforms(folder)
        other = None if model is None else f"{TRANSFORMS_FILE} is used, the COLMAP model is not"
    elif model is not None:
        posed = read_colmap(folder, model)
        split = (folder / TRAIN_FILE).is_file()
        other = f"the COLMAP model is used, {TRAIN_FILE} is not" if split else None
    elif (folder / TRAIN_FILE).is_file():
        posed, other = read_transforms(folder), None
    else:
        raise SceneError(_no_scene(folder))
    if other is None:
        return posed
    return dataclasses.replace(posed, warnings=(f"two camera files: {other}", *posed.warnings))


def _no_scene(folder: Path) -> str:
    entries = sorted(entry.name for entry in folder.iterdir())
    listed = ", ".join(entries[:_LISTED]) + (", ..." if len(entries) > _LISTED else "")
    return (
        f"{folder}: no camera file found (folder holds: {listed or 'nothing'}), wanted "
        f"{TRANSFORMS_FILE}, {TRAIN_FILE}, or images/ with a COLMAP model in sparse/0 "
        "(cameras, images, points3D as .bin or .txt); choose the folder that holds one of these"
    )


def _finite_points(posed: PosedSet) -> PosedSet:
    """Drop points that are not finite, with a warning."""
    good: npt.NDArray[np.bool_] = np.all(np.isfinite(posed.points), axis=1)
    if good.all():
        return posed
    dropped = int((~good).sum())
    return dataclasses.replace(
        posed,
        points=posed.points[good],
        colors=posed.colors[good],
        warnings=(*posed.warnings, f"{dropped} of {len(good)} points are not finite, dropped"),
    )


def _hold_out(views: tuple[View, ...], holdout: int) -> tuple[tuple[View, ...], tuple[View, ...]]:
    """Return training and held-out views of a name-sorted list."""
    if holdout == 0 or len(views) < 2:
        return views, ()
    train = tuple(view for index, view in enumerate(views) if index % holdout)
    return train, views[::holdout]


def _check_arguments(max_size: int, holdout: int, background: tuple[float, float, float]) -> None:
    if max_size < 1:
        raise ConfigError(f"max_size is {max_size}, wanted at least 1 pixel")
    if holdout != 0 and holdout < 2:
        raise ConfigError(f"holdout is {holdout}, wanted 0 (none) or at least 2")
    if len(background) != 3 or not all(0 <= value <= 1 for value in background):
        raise ConfigError(f"background is {background}, wanted three values in [0, 1]")
